"""Goldens of runs whose order, noise, rows or optimiser are not torch's: group_by_length and NEFTune with our own draws,
packing, AdamW with 8-bit moments. Each is a run of the Trainer, in the form of arguments.py's, in which that one part is
replaced, and is computed again by the replay in float64.
"""

import copy
import json
import tempfile
from pathlib import Path
from unittest.mock import patch

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from adamw8bit import Moment, update
from arguments import LORA, save_state
from draws import check_draws, micro_batch_seed, neftune_units, shuffled
from shared import GOLDENS, IGNORE, collate, load_base, pad_rows, save_adapter, saved_key, write_json
from training import DEFAULTS, PEFT_NAMES, AdamW, RecordingTrainer, check_logged, replay, train, write_dataset

MIN_8BIT_SIZE = 4096

# name: (model case, number of rows, options). Every case takes twelve optimiser steps.
CASES = {
    # 10 steps an epoch, megabatches of two steps (40 rows // (4 steps x 4)); the second epoch has another shuffle.
    "group-by-length": (
        "qwen2",
        40,
        dict(**LORA, learning_rate=5e-3, lr_scheduler_type="linear", max_steps=12, gradient_accumulation_steps=2,
             train_sampling_strategy="group_by_length", shuffle=True, seed=11),
    ),
    # 11 batches, the last of one row; every batch is padded to a length of its own, which the noise's width follows.
    "neftune-run": (
        "llama-untied-gqa",
        21,
        dict(**LORA, learning_rate=5e-3, lr_scheduler_type="linear", max_steps=12, gradient_accumulation_steps=2,
             neftune_noise_alpha=5.0, seed=7),
    ),
    # Two to five rows a sequence; mistral's window of 8 ends within a row, and no row sees its neighbour.
    "packing": (
        "mistral-sliding",
        44,
        dict(**LORA, learning_rate=5e-3, lr_scheduler_type="cosine", max_steps=12, packing=True, max_length=48),
    ),
    # A of down_proj (47, 88) has 4136 elements: 17 blocks, the last of 40. B (64, 47) is small and keeps float32.
    "adamw-8bit-run": (
        "llama-untied-gqa",
        24,
        dict(r=47, lora_alpha=47, target_modules=["down_proj"], learning_rate=1e-2, lr_scheduler_type="linear",
             max_steps=12, weight_decay=0.1, max_grad_norm=0.5, optim="adamw_8bit"),
    ),
}  # fmt: skip


class OwnShuffle(torch.utils.data.Sampler):
    """The Trainer's LengthGroupedSampler over our shuffle of the epoch instead of torch's."""

    def __init__(self, grouped, seed: int):
        self.grouped, self.seed, self.epoch = grouped, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.grouped)

    def __iter__(self):
        with patch.object(torch, "randperm", lambda n, generator: torch.tensor(shuffled(n, self.seed, self.epoch))):
            return iter(self.grouped)


class GroupingTrainer(RecordingTrainer):
    def _get_train_sampler(self, train_dataset=None):
        return OwnShuffle(super()._get_train_sampler(train_dataset), self.args.seed)


def grouped_order(rows: list[dict], options: dict):
    """The same by hand: megabatches of up to 50 steps, at least four of them, each from long to short; the longest row
    of all, of equals the first megabatch's, changes places with the first."""
    lengths = [len(row["input_ids"]) for row in rows]
    step = options["per_device_train_batch_size"] * options["gradient_accumulation_steps"]
    size = max(1, min(len(rows) // (4 * step), 50)) * step

    def order(epoch: int) -> list[int]:
        mixed = shuffled(len(rows), options["seed"], epoch)
        parts = [mixed[start : start + size] for start in range(0, len(rows), size)]
        parts = [sorted(part, key=lambda index: -lengths[index]) for part in parts]
        longest = max(parts, key=lambda part: lengths[part[0]])
        parts[0][0], longest[0] = longest[0], parts[0][0]
        return sum(parts, [])

    return order


class NoisyTrainer(RecordingTrainer):
    """The Trainer's own NEFTune, its uniform_ drawing our numbers."""

    def compute_loss(self, model, inputs, *args, **kwargs):
        B, T = inputs["input_ids"].shape
        seed = micro_batch_seed(self.args.seed, len(self.records), len(self.pending))
        units = torch.from_numpy(neftune_units(seed, B, T, self.model.config.hidden_size))

        def uniform(zeros, low, high):
            assert zeros.shape == units.shape and low == -high
            return zeros.copy_(high * units.to(zeros.dtype))

        with patch.object(torch.Tensor, "uniform_", uniform):
            return super().compute_loss(model, inputs, *args, **kwargs)


def add_noise(model, records: list[dict], options: dict) -> None:
    """The same by hand: the embeddings of each micro-batch in turn get alpha / sqrt(T C) times the numbers."""
    places = ((step, index) for step, record in enumerate(records) for index in range(record["num_batches"]))

    def hook(module, inputs, output):
        B, T, C = output.shape
        units = neftune_units(micro_batch_seed(options["seed"], *next(places)), B, T, C)
        return output + options["neftune_noise_alpha"] / (T * C) ** 0.5 * torch.from_numpy(units).to(output.dtype)

    model.get_base_model().get_input_embeddings().register_forward_hook(hook)


def pack(rows: list[dict], max_length: int) -> list[dict]:
    """Best fit, decreasing length (TRL's `bfd`): each row into the fullest sequence that holds it, of equally full ones
    the one that has been so for longest. No row's first label is a target."""
    bins = []
    for turn, row in enumerate(sorted(rows, key=lambda row: -len(row["input_ids"]))):
        size = len(row["input_ids"])
        fitting = [each for each in bins if each["space"] >= size]
        chosen = min(fitting, key=lambda each: (each["space"], each["since"]), default=None)
        if chosen is None:
            chosen = {"space": max_length, "rows": []}
            bins.append(chosen)
        chosen["rows"].append(row)
        chosen["space"] -= size
        chosen["since"] = turn
    return [join(each["rows"]) for each in bins]


def join(rows: list[dict]) -> dict:
    ends = torch.tensor([len(row["input_ids"]) for row in rows]).cumsum(0).tolist()
    return {
        "input_ids": [token for row in rows for token in row["input_ids"]],
        "labels": [label for row in rows for label in [IGNORE, *row["labels"][1:]]],
        "starts": [0, *ends[:-1]],
    }


def collate_packed(rows: list[dict]) -> dict[str, torch.Tensor]:
    """Without a mask transformers keeps apart what position_ids begin anew for; each padded position stands alone."""
    positions = []
    for row in rows:
        ends = [*row["starts"][1:], len(row["input_ids"])]
        positions.append([place for start, end in zip(row["starts"], ends) for place in range(end - start)])
    return {
        "input_ids": pad_rows([row["input_ids"] for row in rows], 0),
        "position_ids": pad_rows(positions, 0),
        "labels": pad_rows([row["labels"] for row in rows], IGNORE),
    }


def collate_with_mask(window: int):
    """The same with the mask written out: a token sees its own row up to itself, within the window."""

    def collator(rows: list[dict]) -> dict[str, torch.Tensor]:
        batch = collate_packed(rows)
        segments = (batch["position_ids"] == 0).cumsum(1)
        place = torch.arange(segments.shape[1])
        causal = (place[None] <= place[:, None]) & (place[None] > place[:, None] - window)
        seen = causal & (segments[:, :, None] == segments[:, None])
        mask = torch.where(seen, 0.0, torch.finfo(torch.float32).min).double()[:, None]
        return {"attention_mask": mask} | batch

    return collator


class AdamW8bit(AdamW):
    """8-bit moments for parameters of at least MIN_8BIT_SIZE elements, the decay after the step for all."""

    def update(self, key, value, gradient, step, rate, decay) -> None:
        if value.numel() < MIN_8BIT_SIZE:
            super().update(key, value, gradient, step, rate, 0.0)
            value.mul_(1 - rate * decay)
            return
        flat = value.numpy().ravel()
        if key not in self.first:
            self.first[key], self.second[key] = (Moment(flat.size, kind, flat.dtype.type) for kind in (True, False))
        options = self.options | {"learning_rate": rate, "weight_decay": decay}
        moved = update(flat, gradient.numpy().ravel(), self.first[key], self.second[key], step, options)
        value.copy_(torch.from_numpy(moved).view_as(value))


class TorchAdamW8bit(torch.optim.Optimizer):
    """That as an optimiser which the Trainer can be given."""

    def __init__(self, parameters, options: dict):
        super().__init__(parameters, dict(lr=options["learning_rate"], weight_decay=options["weight_decay"]))
        self.rule, self.steps = AdamW8bit(options), 0

    @torch.no_grad()
    def step(self, closure=None) -> None:
        self.steps += 1
        for group in self.param_groups:
            for value in group["params"]:
                self.rule.update(id(value), value, value.grad, self.steps, group["lr"], group["weight_decay"])


def parts_of(model, rows: list[dict], options: dict) -> tuple[dict, dict]:
    """What the Trainer and the replay are given beyond a plain run."""
    if options.get("packing"):
        window = model.config.sliding_window
        return {"data_collator": collate_packed}, {"collator": collate_with_mask(window)}
    if options.get("optim"):
        trained = [value for value in model.parameters() if value.requires_grad]
        assert {value.numel() >= MIN_8BIT_SIZE for value in trained} == {True, False}
        return {"optimizers": (TorchAdamW8bit(trained, options), None)}, {"optimiser": AdamW8bit}
    if options.get("train_sampling_strategy"):
        return {"kind": GroupingTrainer}, {"order": grouped_order(rows, options)}
    return {"kind": NoisyTrainer}, {}


def make_case(name: str, seed: int) -> None:
    model_name, count, chosen = CASES[name]
    options = DEFAULTS | chosen
    folder = GOLDENS / "arguments" / name
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    write_json(folder / "case.json", {"model": model_name})
    write_json(folder / "config.json", options)
    base = load_base(GOLDENS / "models" / model_name)
    rows = write_dataset(folder / "dataset.jsonl", count, base.config.vocab_size, generator)
    if options.get("packing"):
        rows = pack(rows, options["max_length"])
        (folder / "packed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **{key: options[key] for key in PEFT_NAMES}))
    save_adapter(model, folder / "init-adapter", model_name)
    exact = copy.deepcopy(model).double()
    more, again = parts_of(model, rows, options)
    with tempfile.TemporaryDirectory() as temporary:
        trainer = train(model, rows, options, Path(temporary), **more)
        state = save_state(Path(temporary), folder)
    save_adapter(model, folder / "final-adapter", model_name)
    records = trainer.records
    assert len(records) == 12
    check_logged(state, records)
    if "neftune_noise_alpha" in options:
        add_noise(exact, records, options)
    replayed = replay(exact, rows, options, records, torch.float64, **again)
    final = load_file(folder / "final-adapter" / "adapter_model.safetensors")
    exact_final = {saved_key(key): value.detach() for key, value in exact.named_parameters() if value.requires_grad}
    distance = max((final[key].double() - exact_final[key]).norm() / exact_final[key].norm() for key in final).item()
    worst = max(abs(record["loss"] - step["loss"]) for record, step in zip(records, replayed))
    norms = max(abs(record["grad_norm"] / step["grad_norm"] - 1) for record, step in zip(records, replayed))
    print(f"own run {name}: loss {records[0]['loss']:.3f} -> {records[-1]['loss']:.3f}, float64 differs by", end=" ")
    print(f"{worst:.1e} (loss), {norms:.1e} (norm), {distance:.1e} (final)", flush=True)
    assert worst < 1e-5 and norms < 1e-4 and distance < 3e-4
    write_json(
        folder / "expected.json",
        {
            "steps": records,
            "float64": {
                "loss": [step["loss"] for step in replayed],
                "grad_norm": [step["grad_norm"] for step in replayed],
                "final_worst_relative_l2": float(f"{distance:.2e}"),
            },
        },
    )


def make_own_runs() -> None:
    check_draws()
    for index, name in enumerate(CASES):
        make_case(name, 8000 + index)
