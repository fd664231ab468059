"""Model goldens: tiny Hugging Face folders of every supported architecture, each with a PEFT adapter,
logits, loss and the gradient of every trained parameter, as transformers and PEFT compute them.
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

from shared import GOLDENS, IGNORE, load_base, no_narrowing, pad_rows, save_adapter, saved_key, write_json

ALL = "all-linear"
LLAMA3 = {
    # With head_dim 16 the wavelengths are 6, 20, 63, 199, ...: below 64/4 kept, above 64/1 divided, between blended.
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def rope(theta: float) -> dict:
    return {"rope_type": "default", "rope_theta": theta}


# name: (config class, sizes, LoRA options, lengths of the two rows, extras)
# onnxruntime's GroupQueryAttention wants head_dim to be a multiple of 8, and of 16 where it rotates: most cases have
# 16; qwen3 (24) needs its rotary outside, and "sharded" (12) can be trained but not exported with that operator.
CASES = {
    "llama-tied": (
        LlamaConfig,
        dict(vocab_size=97, hidden_size=32, intermediate_size=88, num_attention_heads=2, tie_word_embeddings=True),
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
        (21, 14),
        {"merged"},
    ),
    "llama-untied-gqa": (
        LlamaConfig,
        dict(vocab_size=101, hidden_size=64, intermediate_size=88, num_attention_heads=4, num_key_value_heads=2,
             rms_norm_eps=1e-5),
        dict(r=5, lora_alpha=16, target_modules=ALL),
        (29, 23),
        {"merged"},
    ),
    "llama3-scaling": (
        LlamaConfig,
        dict(vocab_size=103, hidden_size=64, intermediate_size=88, num_attention_heads=4, num_key_value_heads=1,
             max_position_embeddings=512, rope_parameters=LLAMA3),
        dict(r=8, lora_alpha=8, use_rslora=True, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]),
        (37, 31),
        set(),
    ),
    "llama-old-spelling": (
        LlamaConfig,
        dict(vocab_size=107, hidden_size=32, intermediate_size=72, num_attention_heads=2, num_key_value_heads=2,
             tie_word_embeddings=True, max_position_embeddings=512, rope_parameters={**LLAMA3, "rope_theta": 5000.0}),
        dict(r=1, lora_alpha=2, target_modules=["gate_proj", "down_proj"]),
        (23, 17),
        {"old-spelling"},
    ),
    "llama-bias": (
        LlamaConfig,
        dict(vocab_size=109, hidden_size=48, intermediate_size=92, num_attention_heads=3, num_key_value_heads=3,
             attention_bias=True, mlp_bias=True),
        dict(r=3, lora_alpha=6, bias="all", target_modules=["q_proj", "down_proj"]),
        (27, 19),
        {"merged"},
    ),
    "mistral-sliding": (
        MistralConfig,
        dict(vocab_size=113, hidden_size=48, intermediate_size=88, num_attention_heads=4, num_key_value_heads=2,
             head_dim=16, sliding_window=8),
        dict(r=4, lora_alpha=4, use_rslora=True, target_modules=ALL),
        (29, 20),
        set(),
    ),
    "qwen2": (
        Qwen2Config,
        dict(vocab_size=127, hidden_size=32, intermediate_size=88, num_attention_heads=2, num_key_value_heads=1,
             tie_word_embeddings=True, rms_norm_eps=1e-6),
        dict(r=4, lora_alpha=8, bias="lora_only", target_modules=["q_proj", "v_proj"]),
        (25, 18),
        {"merged"},
    ),
    "qwen2-untied": (
        Qwen2Config,
        dict(vocab_size=99, hidden_size=48, intermediate_size=100, num_attention_heads=3, num_key_value_heads=1,
             tie_word_embeddings=False, rope_parameters=rope(1000000.0)),
        dict(r=2, lora_alpha=6, bias="all", target_modules=["o_proj", "up_proj"]),
        (33, 26),
        set(),
    ),
    "qwen3": (
        Qwen3Config,
        dict(vocab_size=130, hidden_size=32, intermediate_size=88, num_attention_heads=4, num_key_value_heads=2,
             head_dim=24, tie_word_embeddings=True, rope_parameters=rope(1000000.0)),
        dict(r=7, lora_alpha=14, target_modules=ALL),
        (31, 22),
        {"merged"},
    ),
    "llama-bf16": (
        LlamaConfig,
        dict(vocab_size=97, hidden_size=32, intermediate_size=88, num_attention_heads=2, num_key_value_heads=1),
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "o_proj"]),
        (24, 13),
        {"bfloat16"},
    ),
    "llama-f16": (
        LlamaConfig,
        dict(vocab_size=97, hidden_size=32, intermediate_size=88, num_attention_heads=2, num_key_value_heads=1,
             tie_word_embeddings=True),
        dict(r=4, lora_alpha=8, target_modules=["k_proj", "up_proj"]),
        (24, 13),
        {"float16"},
    ),
    "sharded": (
        LlamaConfig,
        dict(vocab_size=97, hidden_size=36, intermediate_size=90, num_attention_heads=3, num_key_value_heads=1),
        dict(r=3, lora_alpha=6, target_modules=ALL),
        (22, 16),
        {"sharded"},
    ),
}


def randomise(model, generator: torch.Generator) -> None:
    """Weights that make every part matter: sharp attention, norms away from 1, biases away from 0."""
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("norm.weight"):
            value = 1 + 0.2 * noise
        elif name.endswith("bias"):
            value = 0.3 * noise
        else:
            value = noise * 1.4 / parameter.shape[-1] ** 0.5
        parameter.data.copy_(value)


def build_base(folder: Path, config_class, sizes: dict, extras: set, generator) -> None:
    config = config_class(
        num_hidden_layers=2, bos_token_id=1, eos_token_id=2, pad_token_id=0, **{"max_position_embeddings": 128, **sizes}
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    randomise(model, generator)
    for dtype in extras & {"bfloat16", "float16"}:
        model = model.to(getattr(torch, dtype))
    model.save_pretrained(folder, max_shard_size="100KB" if "sharded" in extras else "1GB")
    if "sharded" in extras:
        assert len(list(folder.glob("model-*-of-00002.safetensors"))) == 2
    if "old-spelling" in extras:
        respell(folder / "config.json")


def respell(path: Path) -> None:
    """config.json as transformers 4 wrote it (compare Llama 3.2): rope_theta, rope_scaling, torch_dtype,
    and no head_dim."""
    config = json.loads(path.read_text())
    scaling = config.pop("rope_parameters")
    config["rope_theta"] = scaling.pop("rope_theta")
    config["rope_scaling"] = scaling
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.45.0.dev0"
    config.pop("head_dim")
    write_json(path, config, sort_keys=True)


def build_adapter(folder: Path, base, options: dict, name: str, generator) -> None:
    """A PEFT adapter as after training: A as PEFT draws it, B and the trained biases away from their start."""
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **options))
    for key, parameter in sorted(model.named_parameters()):
        if not parameter.requires_grad:
            continue
        noise = torch.randn(parameter.shape, generator=generator)
        if ".lora_A." in key:
            bound = parameter.shape[1] ** -0.5
            value = (torch.rand(parameter.shape, generator=generator) * 2 - 1) * bound
        elif ".lora_B." in key:
            value = 0.2 * noise
        else:
            value = parameter.data + 0.2 * noise
        parameter.data.copy_(value)
    save_adapter(model, folder, name)


def draw_batch(lengths, vocab_size: int, generator) -> dict[str, torch.Tensor]:
    """Two ragged rows. Row 0 hides its first six labels (a prompt), row 1 hides one in the middle and
    keeps its first, which no position predicts."""
    ids = [torch.randint(3, vocab_size, (n,), generator=generator).tolist() for n in lengths]
    labels = [list(row) for row in ids]
    labels[0][:6] = [IGNORE] * 6
    labels[1][7] = IGNORE
    return {
        "input_ids": pad_rows(ids, 0),
        "attention_mask": pad_rows([[1] * len(row) for row in ids], 0),
        "labels": pad_rows(labels, IGNORE),
    }


def run(folder: Path, batch: dict, dtype, merged: bool) -> dict[str, torch.Tensor]:
    """Base logits, adapter logits, loss, gradients and, if asked, the merged model's logits, in dtype."""
    inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
    base = load_base(folder, dtype)
    model = PeftModel.from_pretrained(load_base(folder, dtype), folder / "adapter", is_trainable=True)
    model.to(dtype).train()
    out = {}
    with no_narrowing(dtype):
        with torch.no_grad():
            out["logits"] = base(**inputs).logits
        result = model(**inputs, labels=batch["labels"])
        result.loss.backward()
        out["adapter_logits"] = result.logits.detach()
        out["loss"] = result.loss.detach().reshape(1)
        for key, parameter in model.named_parameters():
            if parameter.requires_grad:
                out[f"grad.{saved_key(key)}"] = parameter.grad
        if merged:
            with torch.no_grad():
                out["merged_logits"] = model.eval().merge_and_unload()(**inputs).logits
    return out


def save_merged(folder: Path) -> None:
    merged = PeftModel.from_pretrained(load_base(folder), folder / "adapter").merge_and_unload()
    with tempfile.TemporaryDirectory() as temporary:
        merged.save_pretrained(temporary)
        shutil.copy(Path(temporary) / "model.safetensors", folder / "merged.safetensors")


def deviation(ours: torch.Tensor, exact: torch.Tensor) -> dict[str, float]:
    difference = ours.double() - exact.double()
    return {
        "max_abs": float(f"{difference.abs().max().item():.2e}"),
        "relative_l2": float(f"{(difference.norm() / exact.double().norm()).item():.2e}"),
    }


def make_case(name: str, seed: int) -> dict:
    """Writes one case; returns how far its float32 numbers are from the same run in float64."""
    config_class, sizes, options, lengths, extras = CASES[name]
    folder = GOLDENS / "models" / name
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    build_base(folder, config_class, sizes, extras, generator)
    build_adapter(folder / "adapter", load_base(folder), options, name, generator)
    batch = draw_batch(lengths, sizes["vocab_size"], generator)
    result = run(folder, batch, torch.float32, "merged" in extras)
    exact = run(folder, batch, torch.float64, "merged" in extras)
    if "merged" in extras:
        save_merged(folder)
    tensors = {key: value.int() for key, value in batch.items()} | result
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "forward.safetensors")
    report = {key: deviation(value, exact[key]) for key, value in result.items() if not key.startswith("grad.")}
    gradients = [deviation(value, exact[key]) for key, value in result.items() if key.startswith("grad.")]
    report["grad (worst)"] = {key: max(gradient[key] for gradient in gradients) for key in gradients[0]}
    return report


def make_models() -> None:
    shutil.rmtree(GOLDENS / "models", ignore_errors=True)
    report = {}
    for index, name in enumerate(CASES):
        report[name] = make_case(name, 1000 + index)
        print("model", name, report[name]["adapter_logits"], flush=True)
    write_json(GOLDENS / "models" / "precision.json", report)
