"""Training goldens: twelve optimiser steps of the real transformers Trainer over a PEFT LoRA model, in file
order, with the exact loss, gradient norm and rate of every step, and a float64 re-run written by hand.
"""

import json
import math
import re
import shutil
import tempfile
import warnings
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import PrinterCallback, Trainer, TrainingArguments

from shared import GOLDENS, IGNORE, collate, load_base, no_narrowing, save_adapter, saved_key, write_json

# The Trainer's checkpoint saves the adapter under its base's bare name, which PEFT looks for in vain.
warnings.filterwarnings("ignore", message="Could not find a config file")

PEFT_NAMES = ("r", "lora_alpha", "lora_dropout", "target_modules", "bias", "use_rslora")
DEFAULTS = {
    "lora_dropout": 0.0,
    "bias": "none",
    "use_rslora": False,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "warmup_steps": 0,
    "weight_decay": 0.0,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-8,
    "max_grad_norm": 1.0,
    "seed": 42,
    "shuffle": False,
    "logging_steps": 1,
}

# name: (model case, number of rows, options). Every case takes twelve optimiser steps.
CASES = {
    # 24 rows = 12 batches = 6 steps an epoch. Step 1 runs at rate 0; every step is clipped.
    "cosine-warmup-clip-decay": (
        "llama-untied-gqa",
        24,
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], learning_rate=5e-3,
             lr_scheduler_type="cosine", warmup_steps=3, max_steps=12, gradient_accumulation_steps=2,
             weight_decay=0.1, max_grad_norm=0.3),
    ),
    # 21 rows = 11 batches (the last holds one row) = 4 steps an epoch, the last of only two batches.
    "linear-last-partial": (
        "qwen2",
        21,
        dict(r=3, lora_alpha=6, target_modules=["q_proj", "v_proj"], learning_rate=1e-2,
             lr_scheduler_type="linear", num_train_epochs=3, gradient_accumulation_steps=3, weight_decay=0.01),
    ),
    # 36 rows of 3; r is no multiple of 4; betas and epsilon differ from their defaults.
    "constant-alllinear-rslora": (
        "llama-tied",
        36,
        dict(r=5, lora_alpha=8, target_modules="all-linear", use_rslora=True, learning_rate=2e-3,
             lr_scheduler_type="constant", max_steps=12, per_device_train_batch_size=3,
             adam_beta1=0.8, adam_beta2=0.95, adam_epsilon=1e-6),
    ),
    # max_steps ends in the middle of the second epoch (8 steps an epoch).
    "qwen3-cosine": (
        "qwen3",
        32,
        dict(r=4, lora_alpha=16, target_modules=["q_proj", "k_proj", "v_proj", "gate_proj"], learning_rate=3e-3,
             lr_scheduler_type="cosine", max_steps=12, gradient_accumulation_steps=2),
    ),
    # Mistral has no biases: bias "lora_only" trains nothing more. warmup_ratio 0.15 of 12 steps is ceil(1.8) = 2.
    "mistral-linear-bias": (
        "mistral-sliding",
        24,
        dict(r=4, lora_alpha=8, bias="lora_only", target_modules=["q_proj", "v_proj", "down_proj"],
             learning_rate=3e-3, lr_scheduler_type="linear", warmup_ratio=0.15, max_steps=12),
    ),
    # The biases of q and v are trained, without weight decay, whatever weight_decay says.
    "qwen2-linear-bias": (
        "qwen2",
        24,
        dict(r=4, lora_alpha=8, bias="lora_only", target_modules=["q_proj", "v_proj"], learning_rate=5e-3,
             lr_scheduler_type="linear", max_steps=12, weight_decay=0.2, max_grad_norm=0.5),
    ),
    # Every bias is trained, those of modules without LoRA too; max_grad_norm 0 means no clipping.
    "llama-bias-all": (
        "llama-bias",
        24,
        dict(r=2, lora_alpha=4, bias="all", target_modules=["q_proj", "down_proj"], learning_rate=5e-3,
             lr_scheduler_type="constant_with_warmup", warmup_steps=2, num_train_epochs=1, weight_decay=0.2,
             max_grad_norm=0.0),
    ),
}


class RecordingTrainer(Trainer):
    """Keeps each optimiser step's micro-batch losses, target count, gradient norm and rate as they are used."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.records = []
        self.pending = []

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        result = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        loss = result[0] if return_outputs else result
        if model.training:  # an evaluation comes this way too
            self.pending.append((loss.item(), int(num_items_in_batch)))
        return result

    def _get_grad_norm(self, model, grad_norm=None):
        norm = super()._get_grad_norm(model, grad_norm)
        losses, counts = zip(*self.pending)
        assert len(set(counts)) == 1
        self.records.append(
            {
                "step": len(self.records) + 1,
                "loss": math.fsum(losses),
                "grad_norm": norm.item(),
                "learning_rate": self.optimizer.param_groups[0]["lr"],
                "num_target_tokens": counts[0],
                "num_batches": len(losses),
            }
        )
        self.pending.clear()
        return norm


def write_dataset(path: Path, count: int, vocab_size: int, generator) -> list[dict]:
    """Ragged rows that count upwards by a row's own stride, so that there is something to learn. Every third
    row keeps all its labels, the first included (which no position predicts); the others hide a prompt."""
    rows = []
    for index in range(count):
        length, start, stride, hidden = (
            int(torch.randint(low, high, (1,), generator=generator)) for low, high in ((5, 27), (3, 97), (1, 4), (1, 4))
        )
        ids = [3 + (start + stride * position) % (vocab_size - 3) for position in range(length)]
        labels = list(ids) if index % 3 == 0 else [IGNORE] * hidden + ids[hidden:]
        if index % 5 == 4:
            labels[length // 2] = IGNORE
        rows.append({"input_ids": ids, "labels": labels})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def warmup(options: dict) -> float:
    """transformers 5 has no warmup_ratio: a warmup_steps below 1 is the ratio."""
    return options.get("warmup_ratio") or options["warmup_steps"]


# How every run is made; a case's own options may say otherwise.
FIXED = {
    "train_sampling_strategy": "sequential",
    "remove_unused_columns": False,
    "save_strategy": "steps",
    "save_steps": 12,
    "report_to": [],
    "disable_tqdm": True,
    "use_cpu": True,
    "dataloader_pin_memory": False,
}


# What the Trainer has no argument for.
OWN_NAMES = {"shuffle", "warmup_ratio", "packing", "max_length", *PEFT_NAMES}


def train(model, rows: list[dict], options: dict, output: Path, kind=RecordingTrainer, **more) -> RecordingTrainer:
    chosen = {key: value for key, value in options.items() if key not in OWN_NAMES} | {"warmup_steps": warmup(options)}
    arguments = TrainingArguments(output_dir=str(output), **FIXED | chosen)
    trainer = kind(model=model, args=arguments, train_dataset=rows, **{"data_collator": collate} | more)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer


def decays(name: str) -> bool:
    """Trainer.get_decay_parameter_names: biases and norms, known by their names, have no weight decay."""
    return not re.search(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)", name.lower())


def summed_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(logits, labels, reduction="sum")


class AdamW:
    """torch.optim.AdamW, spelled out."""

    def __init__(self, options: dict):
        self.options, self.first, self.second = options, {}, {}

    def update(self, key: str, value: torch.Tensor, gradient: torch.Tensor, step: int, rate: float, decay: float):
        beta1, beta2 = self.options["adam_beta1"], self.options["adam_beta2"]
        first = self.first.setdefault(key, torch.zeros_like(value))
        second = self.second.setdefault(key, torch.zeros_like(value))
        value.mul_(1 - rate * decay)
        first.mul_(beta1).add_(gradient, alpha=1 - beta1)
        second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        denominator = second.sqrt() / math.sqrt(1 - beta2**step) + self.options["adam_epsilon"]
        value.sub_(first / denominator * (rate / (1 - beta1**step)))


def replay(
    model,
    rows: list[dict],
    options: dict,
    records: list[dict],
    dtype,
    summed_loss=summed_cross_entropy,
    ratio=None,
    order=None,
    collator=collate,
    optimiser=AdamW,
) -> list[dict]:
    """The same run with neither Trainer nor torch.optim: the algorithm, spelled out. Returns loss and norm.
    ratio(name): what a parameter's rate is multiplied by; order(epoch): row numbers, if not those of the file."""
    trained = {saved_key(key): value for key, value in model.named_parameters() if value.requires_grad}
    adam = optimiser(options)
    size, accumulation = options["per_device_train_batch_size"], options["gradient_accumulation_steps"]
    batch_count = -(-len(rows) // size)
    steps_per_epoch = -(-batch_count // accumulation)
    out = []
    for step, record in enumerate(records, 1):
        epoch, within = divmod(step - 1, steps_per_epoch)
        ordered = [rows[index] for index in order(epoch)] if order else rows
        batches = [ordered[start : start + size] for start in range(0, len(rows), size)]
        group = [collator(batch) for batch in batches[within * accumulation : (within + 1) * accumulation]]
        targets = sum(int((batch["labels"][:, 1:] != IGNORE).sum()) for batch in group)
        assert targets == record["num_target_tokens"] and len(group) == record["num_batches"]
        total = 0.0
        for batch in group:
            with no_narrowing(dtype):
                logits = model(**{key: value for key, value in batch.items() if key != "labels"}).logits
                loss = summed_loss(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten())
                (loss / targets).backward()
            total += loss.item()
        norm = math.sqrt(sum(value.grad.double().square().sum().item() for value in trained.values()))
        limit = options["max_grad_norm"]
        scale = min(1.0, limit / (norm + 1e-6)) if limit > 0 else 1.0
        with torch.no_grad():
            for key, value in trained.items():
                rate = record["learning_rate"] * (ratio(key) if ratio else 1)
                decay = options["weight_decay"] if decays(key) else 0.0
                adam.update(key, value, value.grad * scale, step, rate, decay)
                value.grad = None
        out.append({"loss": total / targets, "grad_norm": norm})
    return out


def check_logged(state: dict, records: list[dict]) -> None:
    """expected.json against what the Trainer logged: float32 sums may differ in the last place, rates may not."""
    steps = [entry for entry in state["log_history"] if "loss" in entry]
    assert len(steps) == len(records)
    for logged, record in zip(steps, records):
        assert logged["step"] == record["step"]
        assert abs(logged["loss"] - record["loss"]) < 1e-6
        assert logged["grad_norm"] == record["grad_norm"]
        assert logged["learning_rate"] == record["learning_rate"]


def make_case(name: str, seed: int) -> None:
    model_name, count, chosen = CASES[name]
    options = DEFAULTS | chosen
    if "warmup_ratio" in options:
        del options["warmup_steps"]
    folder, base_folder = GOLDENS / "training" / name, GOLDENS / "models" / model_name
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    write_json(folder / "case.json", {"model": model_name})
    write_json(folder / "config.json", options)
    base = load_base(base_folder)
    rows = write_dataset(folder / "dataset.jsonl", count, base.config.vocab_size, generator)
    lora = LoraConfig(task_type="CAUSAL_LM", **{key: options[key] for key in PEFT_NAMES})
    model = get_peft_model(base, lora)
    save_adapter(model, folder / "init-adapter", model_name)
    with tempfile.TemporaryDirectory() as temporary:
        records = train(model, rows, options, Path(temporary)).records
        assert len(records) == 12
        shutil.copy(Path(temporary) / "checkpoint-12" / "trainer_state.json", folder / "trainer_state.json")
    save_adapter(model, folder / "final-adapter", model_name)
    check_logged(json.loads((folder / "trainer_state.json").read_text()), records)
    exact = PeftModel.from_pretrained(load_base(base_folder, torch.float64), folder / "init-adapter", is_trainable=True)
    replayed = replay(exact.to(torch.float64), rows, options, records, torch.float64)
    final = load_file(folder / "final-adapter" / "adapter_model.safetensors")
    exact_final = {saved_key(key): value.detach() for key, value in exact.named_parameters() if value.requires_grad}
    assert final.keys() == exact_final.keys()
    write_json(
        folder / "expected.json",
        {
            "steps": records,
            "float64": {
                "loss": [step["loss"] for step in replayed],
                "grad_norm": [step["grad_norm"] for step in replayed],
                "final_adapter_max_abs": float(
                    f"{max((final[key].double() - exact_final[key]).abs().max().item() for key in final):.2e}"
                ),
            },
        },
    )
    worst = max(abs(record["loss"] - step["loss"]) for record, step in zip(records, replayed))
    norms = max(abs(record["grad_norm"] / step["grad_norm"] - 1) for record, step in zip(records, replayed))
    assert worst < 1e-4 and norms < 1e-3
    print(f"training {name}: loss {records[0]['loss']:.3f} -> {records[-1]['loss']:.3f},", end=" ")
    print(f"float64 differs by {worst:.1e} (loss), {norms:.1e} (norm)", flush=True)


def make_training() -> None:
    shutil.rmtree(GOLDENS / "training", ignore_errors=True)
    for index, name in enumerate(CASES):
        make_case(name, 2000 + index)
