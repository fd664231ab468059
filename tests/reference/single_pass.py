"""Goldens of one forward and backward pass: several rows packed into one sequence, NEFTune's noise on the embeddings,
DoRA with dropout. What is random elsewhere (noise, dropout) is given. Each is computed a second way and must agree.
"""

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers.integrations.neftune import activate_neftune

from models import build_adapter, draw_batch
from shared import GOLDENS, IGNORE, load_base, saved_key, write_json

ALPHA = 5.0
DROPOUT = 0.25
# name: (model case, lengths of the rows in one sequence); mistral's window of 8 ends within a row.
SEGMENTS = {"llama-untied-gqa": (11, 7, 9), "mistral-sliding": (13, 5, 11)}


def load_with_adapter(name: str):
    folder = GOLDENS / "models" / name
    return PeftModel.from_pretrained(load_base(folder), folder / "adapter", is_trainable=True).train()


def gradients(model) -> dict[str, torch.Tensor]:
    return {f"grad.{saved_key(key)}": value.grad for key, value in model.named_parameters() if value.requires_grad}


def save(folder, batch: dict, result, more: dict) -> None:
    integers = {key: value.int() for key, value in batch.items()}
    floats = {"logits": result.logits.detach(), "loss": result.loss.detach().reshape(1)} | more
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
    save(folder, batch, result, gradients(model))
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
    save(folder, batch, result, gradients(model) | {"noise": noise})
    print(f"neftune {name}: loss {result.loss.item():.4f}", flush=True)


class GivenDropout(torch.nn.Module):
    """A dropout that somebody else has drawn: every kept value times 1 / (1 - p), the others zero."""

    def __init__(self, factors: torch.Tensor):
        super().__init__()
        self.register_buffer("factors", factors, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factors


def dora_by_hand(layer, x: torch.Tensor) -> torch.Tensor:
    """The README's formula: the base result stays, the correction sees the dropped-out input."""
    A, B = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    W, bias, scale = layer.base_layer.weight, layer.base_layer.bias, layer.scaling["default"]
    g = layer.lora_magnitude_vector["default"].weight / (W + scale * B @ A).norm(dim=1).detach()
    dropped = layer.lora_dropout["default"](x)
    return x @ W.T + bias + (g - 1) * (dropped @ W.T) + g * scale * (dropped @ A.T @ B.T)


def make_dora_dropout(name: str, seed: int) -> None:
    folder, base_folder = GOLDENS / "arguments" / "dora-dropout", GOLDENS / "models" / name
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    options = dict(r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj", "v_proj"])
    build_adapter(folder / "adapter", load_base(base_folder), options, name, generator)
    model = PeftModel.from_pretrained(load_base(base_folder), folder / "adapter", is_trainable=True).train()
    batch = draw_batch((19, 12), model.config.vocab_size, generator)
    factors = {}
    layers = {key: module for key, module in model.named_modules() if hasattr(module, "lora_dropout")}
    for key, layer in layers.items():
        kept = torch.rand(*batch["input_ids"].shape, layer.in_features, generator=generator) >= DROPOUT
        factors[f"dropout.{key}"] = kept / (1 - DROPOUT)
        layer.lora_dropout["default"] = GivenDropout(factors[f"dropout.{key}"])
    result = model(**batch)
    result.loss.backward()
    theirs = gradients(model)
    model.zero_grad()
    for layer in layers.values():
        layer.forward = lambda x, layer=layer: dora_by_hand(layer, x)
    again = model(**batch)
    again.loss.backward()
    ours = gradients(model)
    assert (again.logits - result.logits).abs().max() < 1e-4
    assert max(((ours[key] - theirs[key]).norm() / theirs[key].norm()).item() for key in theirs) < 1e-4
    write_json(folder / "case.json", {"model": name, "lora_dropout": DROPOUT})
    save(folder, batch, result, theirs | factors)
    print(f"dora-dropout {name}: loss {result.loss.item():.4f}", flush=True)


def make_single_pass() -> None:
    for index, (name, lengths) in enumerate(SEGMENTS.items()):
        make_segments(name, lengths, 7000 + index)
    make_neftune("qwen2", 7010)
    make_dora_dropout("qwen2", 7020)
