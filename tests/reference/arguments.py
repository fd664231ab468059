"""Goldens for what TrainingArguments can ask for beyond a plain run: label smoothing, evaluation with the best
checkpoint kept, by the loss or by token accuracy, early stopping, a second round of training, and what is logged when;
each a run of the Trainer over LoRA, on q and v but in the last, in the form of training.py's cases. What one forward
and backward pass can show is in single_pass.py.
"""

import copy
import json
import shutil
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import EarlyStoppingCallback

from shared import GOLDENS, IGNORE, load_base, save_adapter, saved_key, write_json
from training import DEFAULTS, PEFT_NAMES, RecordingTrainer, check_logged, replay, train, write_dataset

LORA = dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])
CALLBACK_NAMES = ("early_stopping_patience", "early_stopping_threshold")
STEPS = dict(eval_strategy="steps", save_strategy="steps")
EPOCHS = dict(eval_strategy="epoch", save_strategy="epoch")
BEST = dict(load_best_model_at_end=True, metric_for_best_model="eval_loss", **STEPS)
ACCURACY = dict(metric_for_best_model="eval_mean_token_accuracy", greater_is_better=True)
CLOCKS = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "eval_model_preparation_time",
          "train_runtime", "train_samples_per_second", "train_steps_per_second")  # fmt: skip

# name: (model case, rows to train on, rows to evaluate on, options)
CASES = {
    "label-smoothing": (
        "llama-tied",
        24,
        5,
        dict(**LORA, learning_rate=5e-3, lr_scheduler_type="linear", max_steps=12, label_smoothing_factor=0.1,
             eval_strategy="steps", eval_steps=6, per_device_eval_batch_size=3),
    ),
    "label-smoothing-accumulated": (
        "llama-tied",
        24,
        0,
        dict(**LORA, learning_rate=5e-3, lr_scheduler_type="linear", max_steps=12, label_smoothing_factor=0.1,
             gradient_accumulation_steps=2),
    ),
    # 8 rows in threes: the last batch holds two. The best checkpoint, that of step 8, outlives later ones.
    "eval-best": (
        "llama-untied-gqa",
        6,
        8,
        dict(**LORA, **BEST, learning_rate=4e-2, lr_scheduler_type="constant", max_steps=12, eval_steps=2,
             save_steps=2, save_total_limit=2, per_device_eval_batch_size=3),
    ),
    # Would run for 24 steps; it is overfitted after four.
    "early-stopping": (
        "llama-untied-gqa",
        4,
        7,
        dict(**LORA, **BEST, learning_rate=5e-2, lr_scheduler_type="cosine", max_steps=24, eval_steps=2,
             save_steps=2, save_total_limit=2, per_device_eval_batch_size=4, early_stopping_patience=2,
             early_stopping_threshold=0.01),
    ),
    "second-round/first": (
        "qwen2",
        12,
        0,
        dict(**LORA, learning_rate=5e-3, lr_scheduler_type="linear", max_steps=6, save_steps=6, weight_decay=0.1),
    ),
    # Starts from the first round's adapter; Adam's moments, its step count and the schedule start anew.
    "second-round/second": (
        "qwen2",
        12,
        0,
        dict(**LORA, learning_rate=3e-3, lr_scheduler_type="cosine", warmup_steps=2, max_steps=6, save_steps=6,
             weight_decay=0.1),
    ),
    # The loss still falls, by less than the threshold: the last checkpoint is the best one.
    "early-stopping-threshold": (
        "llama-untied-gqa",
        4,
        7,
        dict(**LORA, **BEST, learning_rate=1e-2, lr_scheduler_type="cosine", max_steps=24, eval_steps=2,
             save_steps=2, save_total_limit=1, per_device_eval_batch_size=4, early_stopping_patience=2,
             early_stopping_threshold=0.02),
    ),
    # Two cosines after the warm-up: the second one starts at the full rate in step 8.
    "cosine-with-restarts": (
        "llama-tied",
        24,
        0,
        dict(**LORA, learning_rate=5e-3, lr_scheduler_type="cosine_with_restarts", warmup_steps=2, max_steps=12,
             lr_scheduler_kwargs=dict(num_cycles=2), weight_decay=0.1),
    ),
    "polynomial": (
        "qwen2",
        24,
        0,
        dict(**LORA, learning_rate=5e-3, lr_scheduler_type="polynomial", warmup_steps=1, max_steps=12,
             lr_scheduler_kwargs=dict(lr_end=1e-4, power=2.0)),
    ),
    # 2 steps an epoch, the last of one batch; overfits: the best checkpoint, the second epoch's, outlives later ones.
    "eval-epoch": (
        "llama-untied-gqa",
        3,
        8,
        dict(**LORA, **(BEST | EPOCHS), learning_rate=4e-2, lr_scheduler_type="constant", num_train_epochs=6,
             per_device_train_batch_size=1, gradient_accumulation_steps=2, save_total_limit=2,
             per_device_eval_batch_size=3),
    ),
    # Saves at a better evaluation and at no other step: at 2 and 4, not even at the last.
    "save-best": (
        "llama-untied-gqa",
        3,
        8,
        dict(**LORA, **(BEST | dict(save_strategy="best")), learning_rate=4e-2, lr_scheduler_type="constant",
             max_steps=10, eval_steps=2, save_total_limit=1, per_device_eval_batch_size=3),
    ),
    # 4 steps an epoch, the last of one batch with one row. Logs at 1, 3, 6 and 9: 10 and 11 are left over. The
    # checkpoints of 5 and 10 stand in the middle of a window. Evaluates at 0, before there is anything to log.
    "logging-steps": (
        "llama-tied",
        13,
        5,
        dict(**LORA, learning_rate=5e-3, lr_scheduler_type="linear", num_train_epochs=2.75,
             gradient_accumulation_steps=2, logging_steps=3, logging_first_step=True, eval_on_start=True,
             eval_strategy="steps", eval_steps=4, save_steps=5, per_device_eval_batch_size=3),
    ),
    # Ends in the middle of the third epoch, which is logged, evaluated and saved as the others are.
    "logging-epoch": (
        "qwen2",
        7,
        4,
        dict(**LORA, **EPOCHS, learning_rate=5e-3, lr_scheduler_type="cosine", warmup_steps=2, max_steps=10,
             logging_strategy="epoch", per_device_eval_batch_size=3),
    ),
    # The evaluations of steps 4, 8 and 10 come before what the epochs that end there log.
    "logging-epoch-eval-steps": (
        "llama-tied",
        7,
        4,
        dict(**LORA, learning_rate=5e-3, lr_scheduler_type="linear", max_steps=10, logging_strategy="epoch",
             logging_first_step=True, eval_strategy="steps", eval_steps=2, save_strategy="epoch",
             per_device_eval_batch_size=3),
    ),
    # The accuracy of step 10 is met again in steps 12 and 16, and not surpassed; the loss falls until the end.
    "best-accuracy": (
        "qwen2",
        8,
        8,
        dict(**LORA | dict(target_modules="all-linear"), **BEST | ACCURACY, learning_rate=2e-2,
             lr_scheduler_type="constant", max_steps=16, eval_steps=2, save_steps=2, save_total_limit=2,
             per_device_eval_batch_size=3),
    ),
}  # fmt: skip

# Cases whose `expected.json` has the whole run's log_history, the entry that ends train() too.
LOGGED = ("logging-steps", "logging-epoch", "logging-epoch-eval-steps")


class EvaluatingTrainer(RecordingTrainer):
    """Keeps every evaluation batch by batch, and which checkpoints there are after every save."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.evaluations, self.batches, self.saves = [], [], []

    def prediction_step(self, model, inputs, *args, **kwargs):
        labels = inputs["labels"]  # label smoothing takes them out of the inputs
        result = super().prediction_step(model, inputs, *args, **kwargs)
        targets = int((labels[:, 1:] != IGNORE).sum())
        self.batches.append({"loss": result[0].item(), "num_rows": len(labels), "num_target_tokens": targets})
        return result

    def evaluate(self, *args, **kwargs):
        self.batches = []
        metrics = super().evaluate(*args, **kwargs)
        rows = sum(batch["num_rows"] for batch in self.batches)
        mean = sum(batch["loss"] * batch["num_rows"] for batch in self.batches) / rows
        assert abs(metrics["eval_loss"] - mean) < 1e-6, (metrics, mean)
        found = {key: metrics[key] for key in ("eval_loss", "eval_mean_token_accuracy") if key in metrics}
        self.evaluations.append({"step": self.state.global_step, **found, "batches": self.batches})
        return metrics

    def _save_checkpoint(self, *args, **kwargs):
        super()._save_checkpoint(*args, **kwargs)
        best = self.state.best_model_checkpoint
        self.saves.append(
            {
                "step": self.state.global_step,
                "checkpoints": [f"checkpoint-{step}" for step in checkpoint_steps(Path(self.args.output_dir))],
                "best_global_step": self.state.best_global_step,
                "best_metric": self.state.best_metric,
                "best_model_checkpoint": best and Path(best).name,
            }
        )


class TokenAccuracy:
    """Share of the targets whose logit is the largest; no other is so near that another order of sums changes it."""

    def __init__(self):
        self.narrowest = float("inf")

    def predictions(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        kept = labels[:, 1:] != IGNORE
        shown, targets = logits[:, :-1][kept], labels[:, 1:][kept].unsqueeze(1)
        others = shown.scatter(1, targets, float("-inf")).amax(1)
        self.narrowest = min(self.narrowest, (shown.gather(1, targets).squeeze(1) - others).abs().min().item())
        return logits.argmax(-1)

    def metrics(self, found) -> dict[str, float]:
        targets = found.label_ids[:, 1:]
        right = (found.predictions[:, :-1] == targets)[targets != IGNORE]
        return {"mean_token_accuracy": int(right.sum()) / right.size}


def checkpoint_steps(output: Path) -> list[int]:
    return sorted(int(folder.name.split("-")[1]) for folder in output.glob("checkpoint-*"))


def without_clocks(log_history: list[dict]) -> list[dict]:
    return [{key: value for key, value in entry.items() if key not in CLOCKS} for entry in log_history]


def check_windows(log_history: list[dict], records: list[dict]) -> None:
    """Each loss is the mean since the one before, to the float32 of the Trainer's sum; the rest is the last step's."""
    before = 0
    for logged in [entry for entry in log_history if "loss" in entry]:
        window = records[before : logged["step"]]
        before = logged["step"]
        assert abs(logged["loss"] - sum(record["loss"] for record in window) / len(window)) < 1e-6
        assert all(logged[key] == window[-1][key] for key in ("step", "grad_norm", "learning_rate"))
    summary = log_history[-1]
    assert abs(summary["train_loss"] - sum(record["loss"] for record in records) / len(records)) < 1e-6


def save_state(output: Path, folder: Path) -> dict:
    """The newest checkpoint's trainer_state.json, without clocks and without the name of a temporary folder."""
    state = json.loads((output / f"checkpoint-{checkpoint_steps(output)[-1]}" / "trainer_state.json").read_text())
    state["log_history"] = without_clocks(state["log_history"])
    if state["best_model_checkpoint"]:
        state["best_model_checkpoint"] = Path(state["best_model_checkpoint"]).name
    write_json(folder / "trainer_state.json", state)
    return state


def smoothed_loss(factor: float):
    """(1 - factor) nll + factor times the mean over the vocabulary of -log p, summed over the targets."""
    return lambda logits, labels: torch.nn.functional.cross_entropy(
        logits, labels, reduction="sum", label_smoothing=factor
    )


def start(base, name: str, options: dict):
    if name == "second-round/second":
        first = GOLDENS / "arguments" / "second-round/first/final-adapter"
        return PeftModel.from_pretrained(base, first, is_trainable=True)
    return get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **{key: options[key] for key in PEFT_NAMES}))


def make_case(name: str, seed: int) -> None:
    model_name, count, evaluated, chosen = CASES[name]
    options = DEFAULTS | chosen
    folder = GOLDENS / "arguments" / name
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    write_json(folder / "case.json", {"model": model_name})
    write_json(folder / "config.json", options)
    base = load_base(GOLDENS / "models" / model_name)
    rows = write_dataset(folder / "dataset.jsonl", count, base.config.vocab_size, generator)
    more = {}
    if evaluated:
        more["eval_dataset"] = write_dataset(folder / "eval.jsonl", evaluated, base.config.vocab_size, generator)
    if "early_stopping_patience" in options:
        more["callbacks"] = [EarlyStoppingCallback(**{key: options[key] for key in CALLBACK_NAMES})]
    accuracy = TokenAccuracy()
    if options.get("metric_for_best_model") == ACCURACY["metric_for_best_model"]:
        more |= dict(compute_metrics=accuracy.metrics, preprocess_logits_for_metrics=accuracy.predictions)
    model = start(base, name, options)
    save_adapter(model, folder / "init-adapter", model_name)
    exact = copy.deepcopy(model).double()
    run_options = {key: value for key, value in options.items() if key not in CALLBACK_NAMES}
    with tempfile.TemporaryDirectory() as temporary:
        trainer = train(model, rows, run_options, Path(temporary), EvaluatingTrainer, **more)
        state = save_state(Path(temporary), folder)
    save_adapter(model, folder / "final-adapter", model_name)
    records = trainer.records
    assert accuracy.narrowest > 1e-2
    if name in LOGGED:
        check_windows(trainer.state.log_history, records)
    else:
        check_logged(state, records[: state["global_step"]])
    loss = smoothed_loss(options.get("label_smoothing_factor", 0))
    replayed = replay(copy.deepcopy(exact), rows, options, records, torch.float64, loss)
    kept = records[: state["best_global_step"]] if options.get("load_best_model_at_end") else records
    replay(exact, rows, options, kept, torch.float64, loss)
    final = load_file(folder / "final-adapter" / "adapter_model.safetensors")
    exact_final = {saved_key(key): value.detach() for key, value in exact.named_parameters() if value.requires_grad}
    distance = max((final[key].double() - exact_final[key]).norm() / exact_final[key].norm() for key in final).item()
    worst = max(abs(record["loss"] - step["loss"]) for record, step in zip(records, replayed))
    assert worst < 1e-5 and distance < 1e-4
    expected = {"steps": records}
    if evaluated:
        expected["evaluations"] = trainer.evaluations
    if options.get("load_best_model_at_end"):
        expected |= {"saves": trainer.saves, "stopped_at_step": trainer.state.global_step}
    if name in LOGGED:
        expected["log_history"] = without_clocks(trainer.state.log_history)
    expected["float64"] = {
        "loss": [step["loss"] for step in replayed],
        "grad_norm": [step["grad_norm"] for step in replayed],
        "final_worst_relative_l2": float(f"{distance:.2e}"),
    }
    write_json(folder / "expected.json", expected)
    print(f"arguments {name}: {len(records)} steps, float64 differs by {worst:.1e}, {distance:.1e} (final)", end=" ")
    print([round(each["eval_loss"], 4) for each in trainer.evaluations], state["best_global_step"], flush=True)


def make_arguments() -> None:
    shutil.rmtree(GOLDENS / "arguments", ignore_errors=True)
    for index, name in enumerate(CASES):
        make_case(name, 6000 + index)
