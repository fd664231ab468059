"""Goldens of one forward and backward pass through a models case with its adapter: several rows packed into one sequence,
and NEFTune's noise on the embeddings. Both are computed a second way and must agree.
"""

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers.integrations.neftune import activate_neftune

from models import draw_batch
from shared import GOLDENS, IGNORE, load_base, saved_key, write_json

ALPHA = 5.0
# name: (model case, lengths of the rows in one sequence); mistral's window of 8 ends within a row.
SEGMENTS = {"llama-untied-gqa": (11, 7, 9), "mistral-sliding": (13, 5, 11)}


def load_with_adapter(name: str):
    folder = GOLDENS / "models" / name
    return PeftModel.from_pretrained(load_base(folder), folder / "adapter", is_trainable=True).train()


def gradients(model) -> dict[str, torch.Tensor]:
    return {f"grad.{saved_key(key)}": value.grad for key, value in model.named_parameters() if value.requires_grad}


def save(folder, batch: dict, result, model, more: dict) -> None:
    integers = {key: value.int() for key, value in batch.items()}
    floats = {"logits": result.logits.detach(), "loss": result.loss.detach().reshape(1)} | gradients(model) | more
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in (integers | floats).items()}, folder / "forward.safetensors")


def make_segments(name: str, lengths: tuple[int, ...], seed: int) -> None:
    folder = GOLDENS / "arguments" / f"segments-{name}"
    generator = torch.Generator().manual_seed(seed)
    model = load_with_adapter(name)
    config = model.config
    rows = [torch.randint(3, config.vocab_size, (n,), generator=generator) for n in lengths]
    input_ids = torch.cat(rows)[None]
    segment_ids = torch.cat([torch.full((n,), index) for index, n in enumerate(lengths)])[None]
    position_ids = torch.cat([torch.arange(n) for n in lengths])[None]
    labels = input_ids.clone()
    labels[position_ids == 0] = IGNORE  # or a row's last token would have to predict the next row's first
    labels[0, 2:5] = IGNORE
    query, key = torch.arange(input_ids.shape[1])[:, None], torch.arange(input_ids.shape[1])[None]
    window = getattr(config, "sliding_window", None) or input_ids.shape[1]
    seen = (segment_ids[0][:, None] == segment_ids[0][None]) & (key <= query) & (key > query - window)
    mask = torch.where(seen, 0.0, torch.finfo(torch.float32).min)[None, None]
    result = model(input_ids=input_ids, position_ids=position_ids, attention_mask=mask, labels=labels)
    result.loss.backward()
    with torch.no_grad():
        alone = torch.cat([model(input_ids=row[None]).logits for row in rows], dim=1)
        # Without a mask and a cache, transformers finds the rows where position_ids restart.
        found = model(input_ids=input_ids, position_ids=position_ids, use_cache=False).logits
    assert torch.equal(found, result.logits) and (alone - result.logits).abs().max() < 2e-5
    batch = {"input_ids": input_ids, "position_ids": position_ids, "segment_ids": segment_ids, "labels": labels}
    write_json(folder / "case.json", {"model": name})
    save(folder, batch, result, model, {})
    print(f"segments {name}: loss {result.loss.item():.4f}", flush=True)


def make_neftune(name: str, seed: int) -> None:
    folder = GOLDENS / "arguments" / "neftune"
    model = load_with_adapter(name)
    batch = draw_batch((23, 17), model.config.vocab_size, torch.Generator().manual_seed(seed))
    B, T = batch["input_ids"].shape
    C = model.config.hidden_size
    magnitude = ALPHA / torch.sqrt(torch.tensor(T * C))
    torch.manual_seed(seed)
    noise = torch.zeros(B, T, C).uniform_(-magnitude, magnitude)
    embeddings = model.get_base_model().get_input_embeddings()
    hook = embeddings.register_forward_hook(lambda module, inputs, output: output + noise)
    result = model(**batch)
    hook.remove()
    result.loss.backward()
    torch.manual_seed(seed)
    activate_neftune(model, ALPHA)
    with torch.no_grad():
        assert torch.equal(model(**batch).loss, result.loss)
        assert not torch.equal(model.eval()(**batch).loss, result.loss)  # an evaluation has no noise
    write_json(folder / "case.json", {"model": name, "neftune_noise_alpha": ALPHA})
    save(folder, batch, result, model, {"noise": noise})
    print(f"neftune {name}: loss {result.loss.item():.4f}", flush=True)


def make_single_pass() -> None:
    for index, (name, lengths) in enumerate(SEGMENTS.items()):
        make_segments(name, lengths, 7000 + index)
    make_neftune("qwen2", 7010)
