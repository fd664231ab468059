"""Method goldens: twelve steps of the Trainer for every way of tuning beyond plain LoRA (DoRA, LoRA+, PiSSA, OLoRA,
IA3, prefix tuning, full fine-tuning, LoRA over 4-bit weights), in the form of training.py's cases, with the final
model's logits, the merged weights and which parameters the optimiser put into which group. One long file, because it
is one table of cases and what each needs.
"""

import copy
import json
import math
import shutil
import tempfile
import warnings
from pathlib import Path

import torch
from peft import IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, get_peft_model, get_peft_model_state_dict
from peft.optimizers import create_loraplus_optimizer
from safetensors.torch import save_file
from transformers import DynamicCache

from nf4 import dequantise, quantise, restore_absmax
from shared import GOLDENS, collate, load_base, save_adapter, saved_key, tidy_adapter_config, write_json
from training import DEFAULTS, check_logged, decays, replay, train, write_dataset

LORA_NAMES = (
    "r", "lora_alpha", "lora_dropout", "target_modules", "bias", "use_rslora", "use_dora", "init_lora_weights"
)  # fmt: skip
# Which layers, and with what rank and alpha, where it is not the same everywhere; left out where a case does not say.
LAYER_NAMES = ("exclude_modules", "layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern")
LORA_DEFAULTS = {"lora_dropout": 0.0, "bias": "none", "use_rslora": False, "use_dora": False, "init_lora_weights": True}
CONFIGS = {
    "LORA": (LoraConfig, LORA_NAMES + LAYER_NAMES),
    "IA3": (IA3Config, ("target_modules", "feedforward_modules", "exclude_modules")),
    "PREFIX_TUNING": (PrefixTuningConfig, ("num_virtual_tokens", "prefix_projection")),
    "FULL": (None, ()),  # no method of PEFT: every parameter is trained
}
# Read by transformers' BitsAndBytesConfig; here nf4.py does what they ask for.
BITS_NAMES = ("load_in_4bit", "bnb_4bit_quant_type", "bnb_4bit_use_double_quant")
METHOD_NAMES = {"peft_type", "loraplus_lr_ratio", *BITS_NAMES}.union(*(names for _, names in CONFIGS.values()))
IA3 = dict(peft_type="IA3", target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"])
PREFIX = dict(peft_type="PREFIX_TUNING", num_virtual_tokens=5, prefix_projection=False)

# name: (model case, number of rows, options). Every case takes twelve optimiser steps.
CASES = {
    # The magnitudes are decayed like any matrix.
    "dora": (
        "llama-untied-gqa",
        24,
        dict(r=4, lora_alpha=8, use_dora=True, target_modules="all-linear", learning_rate=3e-3,
             lr_scheduler_type="cosine", warmup_steps=2, max_steps=12, gradient_accumulation_steps=2,
             weight_decay=0.1),
    ),
    "dora-rslora-bias": (
        "qwen2",
        24,
        dict(r=3, lora_alpha=6, use_dora=True, use_rslora=True, bias="lora_only",
             target_modules=["q_proj", "v_proj"], learning_rate=5e-3, lr_scheduler_type="linear", max_steps=12,
             weight_decay=0.1, max_grad_norm=0.5),
    ),
    "loraplus": (
        "qwen2",
        24,
        dict(r=4, lora_alpha=8, bias="lora_only", target_modules=["q_proj", "v_proj"], learning_rate=5e-4,
             loraplus_lr_ratio=16, lr_scheduler_type="linear", max_steps=12, weight_decay=0.1),
    ),
    "loraplus-dora": (
        "llama-tied",
        24,
        dict(r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj", "v_proj"], learning_rate=5e-4,
             loraplus_lr_ratio=8, lr_scheduler_type="cosine", max_steps=12, weight_decay=0.1),
    ),
    "pissa": (
        "llama-tied",
        24,
        dict(r=4, lora_alpha=8, init_lora_weights="pissa", target_modules=["q_proj", "v_proj", "down_proj"],
             learning_rate=2e-3, lr_scheduler_type="cosine", warmup_steps=1, max_steps=12),
    ),
    "pissa-rslora": (
        "llama-untied-gqa",
        24,
        dict(r=3, lora_alpha=6, use_rslora=True, init_lora_weights="pissa", target_modules=["k_proj", "o_proj"],
             learning_rate=2e-3, lr_scheduler_type="linear", max_steps=12, weight_decay=0.05),
    ),
    "olora": (
        "llama-tied",
        24,
        dict(r=4, lora_alpha=6, init_lora_weights="olora", target_modules=["q_proj", "v_proj", "down_proj"],
             learning_rate=2e-3, lr_scheduler_type="linear", max_steps=12),
    ),
    "ia3-llama": (
        "llama-untied-gqa",
        24,
        dict(**IA3, learning_rate=1e-2, lr_scheduler_type="cosine", max_steps=12, weight_decay=0.1),
    ),
    # Keys and values have biases, which are scaled with the output and merged.
    "ia3-qwen2": (
        "qwen2",
        24,
        dict(**IA3, learning_rate=1e-2, lr_scheduler_type="linear", warmup_steps=2, max_steps=12,
             gradient_accumulation_steps=2),
    ),
    "prefix-llama-gqa": (
        "llama-untied-gqa",
        24,
        dict(**PREFIX, learning_rate=3e-2, lr_scheduler_type="linear", max_steps=12, weight_decay=0.1),
    ),
    # The window of 8 slides over the five virtual tokens too.
    "prefix-mistral-sliding": (
        "mistral-sliding",
        24,
        dict(**PREFIX, learning_rate=3e-2, lr_scheduler_type="cosine", max_steps=12, gradient_accumulation_steps=2),
    ),
    "prefix-llama3-scaling": (
        "llama3-scaling",
        24,
        dict(**PREFIX, learning_rate=2e-2, lr_scheduler_type="constant_with_warmup", warmup_steps=3, max_steps=12),
    ),
    # Tied, with biases: neither biases nor norms are decayed.
    "full-tied": (
        "qwen2",
        24,
        dict(peft_type="FULL", learning_rate=1e-3, lr_scheduler_type="linear", warmup_steps=2, max_steps=12,
             weight_decay=0.1),
    ),
    "full-untied": (
        "llama-untied-gqa",
        24,
        dict(peft_type="FULL", learning_rate=5e-4, lr_scheduler_type="cosine", max_steps=12,
             gradient_accumulation_steps=2, weight_decay=0.1),
    ),
    # Every linear layer of the blocks (not the head) in NF4; most of the blocks of 64 span two rows.
    "qlora": (
        "llama-untied-gqa",
        24,
        dict(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, r=4, lora_alpha=8,
             target_modules="all-linear", learning_rate=3e-3, lr_scheduler_type="cosine", warmup_steps=2,
             max_steps=12),
    ),
    # Other ranks and scales on two modules, r and lora_alpha on the third; the first layer stays as it is.
    "patterns-layers": (
        "llama-untied-gqa",
        24,
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"],
             rank_pattern={"q_proj": 2, "down_proj": 6}, alpha_pattern={"v_proj": 2, "mlp.down_proj": 9},
             layers_to_transform=[1], layers_pattern="layers", learning_rate=3e-3, lr_scheduler_type="cosine",
             warmup_steps=2, max_steps=12, weight_decay=0.1),
    ),
    # The expression names whole paths; biases of what is left out are not trained.
    "regex-exclude": (
        "qwen2",
        24,
        dict(r=3, lora_alpha=6, bias="lora_only",
             target_modules=r"model\.layers\.\d+\.(self_attn\.[qv]|mlp\.(up|down))_proj",
             exclude_modules=["layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj", "lm_head"],
             learning_rate=5e-3, lr_scheduler_type="linear", max_steps=12, weight_decay=0.1, max_grad_norm=0.5),
    ),
    # Full paths and ends of paths; the first pattern that fits counts (PEFT saves them sorted: so are these); scales by
    # the root of each rank.
    "dora-rslora-patterns": (
        "llama-untied-gqa",
        24,
        dict(r=4, lora_alpha=8, use_dora=True, use_rslora=True,
             target_modules=["model.layers.0.self_attn.q_proj", "self_attn.k_proj", "1.mlp.gate_proj", "o_proj"],
             exclude_modules=r".*\.0\..*\.o_proj", rank_pattern={r".*\.1\..*": 2, "k_proj": 7, "o_proj": 5},
             alpha_pattern={"^model.layers.0.self_attn.q_proj": 3.5}, learning_rate=3e-3,
             lr_scheduler_type="linear", max_steps=12, gradient_accumulation_steps=2),
    ),
    # Each rank has its own part of the weight, and twice itself in the plain form.
    "pissa-patterns": (
        "llama-tied",
        24,
        dict(r=4, lora_alpha=8, init_lora_weights="pissa", target_modules=["q_proj", "v_proj", "down_proj"],
             rank_pattern={"0.self_attn.q_proj": 2, "down_proj": 5}, alpha_pattern={"v_proj": 2},
             learning_rate=2e-3, lr_scheduler_type="cosine", warmup_steps=1, max_steps=12),
    ),
    "ia3-regex": (
        "qwen2",
        24,
        dict(peft_type="IA3", target_modules=r".*\.(k|v|down)_proj", feedforward_modules=r".*mlp.*",
             exclude_modules=["layers.1.self_attn.k_proj"], learning_rate=1e-2, lr_scheduler_type="linear",
             max_steps=12),
    ),
}  # fmt: skip


def complete(chosen: dict) -> dict:
    """A case's options with every default written out, under the names of PEFT and TrainingArguments."""
    method = chosen.get("peft_type", "LORA")
    general = {key: value for key, value in DEFAULTS.items() if key not in LORA_NAMES}
    return {"peft_type": method} | (LORA_DEFAULTS if method == "LORA" else {}) | general | chosen


def quantise_base(base, file: Path) -> None:
    """The base with every linear layer of its blocks as NF4 gives it back; the 4-bit form is written to the file."""
    tensors = {}
    for name, parameter in base.named_parameters():
        if "_proj." in name:
            state = quantise(parameter.detach().numpy())
            restored = dequantise(state, parameter.shape, restore_absmax(state))
            parameter.data.copy_(torch.from_numpy(restored))
            tensors |= {f"{name}.{key}": torch.from_numpy(state[key]) for key in state if key != "absmax"}
    save_file(tensors, file)


def wrap(base, options: dict):
    config_class, names = CONFIGS[options["peft_type"]]
    if config_class is None:
        return base
    return get_peft_model(base, config_class(task_type="CAUSAL_LM", **{name: options[name] for name in names if name in options}))


def tuned_tensors(model, options: dict) -> dict[str, torch.Tensor]:
    """What the method saves, under its saved names: PEFT's, or the model's own parameters."""
    if options["peft_type"] == "FULL":
        return {key: value.detach() for key, value in model.named_parameters()}
    return get_peft_model_state_dict(model, save_embedding_layers=False)


def save_tuned(model, folder: Path, name: str, base_name: str, options: dict) -> None:
    if options["peft_type"] == "FULL":
        save_file(tuned_tensors(model, options), folder / f"{name}.safetensors")
    else:
        save_adapter(model, folder / f"{name}-adapter", base_name)


def save_converted(model, base_folder: Path, batch: dict, logits: torch.Tensor, folder: Path) -> None:
    """PiSSA and OLoRA as a plain LoRA of rank 2r over the untouched base: PEFT's own conversion, which rewrites the
    config of the initial adapter it is given (hence the copy). Both forms compute the same, over the base as it is."""
    with tempfile.TemporaryDirectory() as temporary:
        initial = Path(temporary) / "initial"
        shutil.copytree(folder / "init-adapter", initial)
        converted = folder / "final-converted"
        shutil.rmtree(converted, ignore_errors=True)
        with warnings.catch_warnings(action="ignore"):
            model.save_pretrained(
                converted, save_embedding_layers=False, path_initial_model_for_weight_conversion=str(initial)
            )
    (converted / "README.md").unlink()
    tidy_adapter_config(converted / "adapter_config.json")
    for adapter in ("final-adapter", "final-converted"):
        loaded = PeftModel.from_pretrained(load_base(base_folder), folder / adapter).eval()
        assert_same(loaded, batch, logits)


def assert_same(model, batch: dict, logits: torch.Tensor) -> None:
    with torch.no_grad():
        difference = (model(**batch).logits - logits)[batch["attention_mask"] == 1].abs().max().item()
    assert difference < 1e-4, difference


def rate_ratio(options: dict):
    """LoRA+: the factor of a parameter's rate, by its name."""
    ratio = options.get("loraplus_lr_ratio", 1)
    return lambda name: ratio if any(part in name for part in ("lora_B", "bias", "lora_magnitude_vector")) else 1


def describe_groups(trainer, model, options: dict) -> list[dict]:
    """The optimiser's groups as they were: decay, the rate's factor and the saved names of the parameters."""
    names = {id(value): saved_key(key) for key, value in model.named_parameters()}
    if options["peft_type"] == "PREFIX_TUNING":
        names[id(model.prompt_encoder["default"].embedding.weight)] = "prompt_embeddings"
    base_rate = trainer.optimizer.param_groups[0]["initial_lr"]
    groups = []
    for group in trainer.optimizer.param_groups:
        parameters = [names[id(value)] for value in group["params"]]
        factor = group["initial_lr"] / base_rate
        for name in parameters:
            assert group["weight_decay"] == (options["weight_decay"] if decays(name) else 0.0)
            assert math.isclose(factor, rate_ratio(options)(name))
        if parameters:
            groups.append(
                {
                    "weight_decay": group["weight_decay"],
                    "learning_rate_ratio": round(factor, 9),
                    "parameters": sorted(parameters),
                }
            )
    return groups


def draw_rows(vocab_size: int, generator) -> dict[str, torch.Tensor]:
    rows = [torch.randint(3, vocab_size, (n,), generator=generator).tolist() for n in (17, 12)]
    batch = collate([{"input_ids": row, "labels": row} for row in rows])
    return {key: batch[key] for key in ("input_ids", "attention_mask")}


def save_logits(model, batch: dict, folder: Path) -> torch.Tensor:
    with torch.no_grad():
        logits = model.eval()(**batch).logits
    tensors = {key: value.int() for key, value in batch.items()} | {"logits": logits.contiguous()}
    save_file(tensors, folder / "logits.safetensors")
    return logits


def save_merged(model, base_folder: Path, batch: dict, logits: torch.Tensor, folder: Path, options: dict) -> None:
    """The tensors of the merged model that differ from the base's file, after a look at what they compute; over 4 bits
    also what PEFT makes of them there: quantised again."""
    merged = copy.deepcopy(model).merge_and_unload().eval()
    assert_same(merged, batch, logits)
    before = dict(load_base(base_folder).named_parameters())
    changed = {key: value.detach() for key, value in merged.named_parameters() if not value.equal(before[key])}
    save_file({key: value.contiguous() for key, value in changed.items()}, folder / "merged.safetensors")
    if options.get("load_in_4bit"):
        quantise_base(merged, folder / "merged-quantised.safetensors")


def check_prefix(model, batch: dict, logits: torch.Tensor) -> None:
    """The README's account of prefix tuning, by hand: the table's keys are not rotated and stand at 0..P-1, the
    sequence is rotated from P on, and both the causal rule and the sliding window count the virtual tokens."""
    base, config = model.get_base_model(), model.active_peft_config
    P, H = config.num_virtual_tokens, config.num_attention_heads
    B, T = batch["input_ids"].shape
    table = model.prompt_encoder["default"].embedding.weight.detach().view(P, config.num_layers, 2, H, -1)
    layers = [
        tuple(part.transpose(0, 1).expand(B, -1, -1, -1) for part in (table[:, layer, 0], table[:, layer, 1]))
        for layer in range(config.num_layers)
    ]
    query, key = torch.arange(P, P + T)[:, None], torch.arange(P + T)[None]
    seen = (key <= query) & (key > query - (getattr(base.config, "sliding_window", None) or P + T))
    padding = torch.nn.functional.pad(batch["attention_mask"], (P, 0), value=1)[:, None, None] == 1
    mask = torch.where(seen & padding, 0.0, torch.finfo(torch.float32).min)
    with torch.no_grad():
        ours = base(
            input_ids=batch["input_ids"],
            attention_mask=mask,
            position_ids=query.T,
            past_key_values=DynamicCache(layers),
        ).logits
    real = batch["attention_mask"] == 1
    assert torch.equal(ours[real], logits[real])


def summarise(records: list[dict], replayed: list[dict], final: dict, exact_final: dict) -> dict:
    """How far the Trainer's float32 run is from the replay in float64."""
    assert final.keys() == exact_final.keys()
    distance = {key: (final[key].double() - exact_final[key]).norm() / exact_final[key].norm() for key in final}
    return {
        "loss": [step["loss"] for step in replayed],
        "grad_norm": [step["grad_norm"] for step in replayed],
        "final_adapter_max_abs": float(
            f"{max((final[key].double() - exact_final[key]).abs().max().item() for key in final):.2e}"
        ),
        "final_worst_relative_l2": float(f"{max(value.item() for value in distance.values()):.2e}"),
    }


def make_case(name: str, seed: int) -> None:
    model_name, count, chosen = CASES[name]
    options = complete(chosen)
    folder, base_folder = GOLDENS / "methods" / name, GOLDENS / "models" / model_name
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    write_json(folder / "case.json", {"model": model_name})
    write_json(folder / "config.json", options)
    base = load_base(base_folder)
    vocab_size = base.config.vocab_size
    rows = write_dataset(folder / "dataset.jsonl", count, vocab_size, generator)
    if options.get("load_in_4bit"):
        quantise_base(base, folder / "quantised.safetensors")
    model = wrap(base, options)
    if options["peft_type"] != "FULL":
        save_tuned(model, folder, "init", model_name, options)
    exact = copy.deepcopy(model).double()
    run_options = {key: value for key, value in options.items() if key not in METHOD_NAMES}
    optimizers = (None, None)
    if "loraplus_lr_ratio" in options:
        optimizers = (create_plus_optimizer(model, options), None)
    with tempfile.TemporaryDirectory() as temporary:
        trainer = train(model, rows, run_options, Path(temporary), optimizers=optimizers)
        shutil.copy(Path(temporary) / "checkpoint-12" / "trainer_state.json", folder / "trainer_state.json")
    records = trainer.records
    assert len(records) == 12
    check_logged(json.loads((folder / "trainer_state.json").read_text()), records)
    replayed = replay(exact, rows, options, records, torch.float64, ratio=rate_ratio(options))
    save_tuned(model, folder, "final", model_name, options)
    final, exact_final = (
        {key: value.clone() for key, value in tuned_tensors(each, options).items()} for each in (model, exact)
    )
    report = summarise(records, replayed, final, exact_final)
    groups = describe_groups(trainer, model, options)
    write_json(folder / "expected.json", {"steps": records, "groups": groups, "float64": report})
    batch = draw_rows(vocab_size, generator)
    logits = save_logits(model, batch, folder)
    if options["peft_type"] == "PREFIX_TUNING":
        check_prefix(model, batch, logits)
    if options["peft_type"] in ("LORA", "IA3"):
        save_merged(model, base_folder, batch, logits, folder, options)
    if options.get("init_lora_weights", True) is not True:
        save_converted(model, base_folder, batch, logits, folder)
    worst = max(abs(record["loss"] - step["loss"]) for record, step in zip(records, replayed))
    norms = max(abs(record["grad_norm"] / step["grad_norm"] - 1) for record, step in zip(records, replayed))
    assert worst < 1e-4 and norms < 1e-3
    print(f"method {name}: loss {records[0]['loss']:.3f} -> {records[-1]['loss']:.3f},", end=" ")
    print(f"float64 differs by {worst:.1e} (loss), {norms:.1e} (norm),", end=" ")
    print(f"{report['final_worst_relative_l2']:.1e} (final)", flush=True)


def create_plus_optimizer(model, options: dict):
    return create_loraplus_optimizer(
        model,
        torch.optim.AdamW,
        lr=options["learning_rate"],
        loraplus_lr_ratio=options["loraplus_lr_ratio"],
        loraplus_weight_decay=options["weight_decay"],  # a plain weight_decay goes unheard: every group sets its own
        betas=(options["adam_beta1"], options["adam_beta2"]),
        eps=options["adam_epsilon"],
    )


def make_methods() -> None:
    shutil.rmtree(GOLDENS / "methods", ignore_errors=True)
    for index, name in enumerate(CASES):
        make_case(name, 3000 + index)
