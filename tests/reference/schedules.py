"""Learning-rate schedule goldens: the rate used in each of 20 optimiser steps, from transformers' get_scheduler."""

import warnings

import torch
from transformers import get_scheduler

from shared import GOLDENS, write_json

warnings.filterwarnings("ignore", message="Both num_training_steps and num_stable_steps")

STEPS = 20
BASE_RATE = 1e-3


# Schedules with options of their own: TrainingArguments' lr_scheduler_kwargs.
MORE = {
    "cosine_with_restarts": [{}, {"num_cycles": 1}, {"num_cycles": 2}, {"num_cycles": 3}],
    "polynomial": [{}, {"lr_end": 1e-5, "power": 2.0}, {"lr_end": 0.0, "power": 0.5}],
    "inverse_sqrt": [{}, {"timescale": 5}],
    "cosine_with_min_lr": [{"min_lr": 1e-4}, {"min_lr_rate": 0.2}, {"min_lr_rate": 0.1, "num_cycles": 1.5}],
    "cosine_warmup_with_min_lr": [{"min_lr": 1e-4}, {"min_lr_rate": 0.1, "warmup_lr_rate": 0.2}],
    "warmup_stable_decay": [
        {"num_decay_steps": 6},
        {"num_decay_steps": 6, "decay_type": "linear", "min_lr_ratio": 0.1},
        {"num_decay_steps": 6, "decay_type": "1-sqrt", "warmup_type": "1-sqrt"},
        # Fewer stable steps than there is room for: the rest runs at the smallest rate.
        {"num_stable_steps": 4, "num_decay_steps": 8, "warmup_type": "cosine", "min_lr_ratio": 0.05},
    ],
}


def rates(kind: str, warmup_steps: int, options: dict | None = None) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE_RATE)
    scheduler = get_scheduler(
        kind,
        optimizer,
        num_warmup_steps=warmup_steps,
        num_training_steps=STEPS,
        scheduler_specific_kwargs=dict(options or {}),
    )
    values = []
    for _ in range(STEPS):
        values.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return values


def make_schedules() -> None:
    write_json(
        GOLDENS / "schedules.json",
        [
            {
                "lr_scheduler_type": kind,
                "warmup_steps": warmup_steps,
                "num_training_steps": STEPS,
                "learning_rate": BASE_RATE,
                "values": rates(kind, warmup_steps),
            }
            for kind in ("linear", "cosine", "constant", "constant_with_warmup")
            for warmup_steps in (0, 3)
        ],
    )
    write_json(
        GOLDENS / "schedules-more.json",
        [
            {
                "lr_scheduler_type": kind,
                "lr_scheduler_kwargs": options,
                "warmup_steps": warmup_steps,
                "num_training_steps": STEPS,
                "learning_rate": BASE_RATE,
                "values": rates(kind, warmup_steps, options),
            }
            for kind, choices in MORE.items()
            for options in choices
            for warmup_steps in (0, 3)
        ],
    )
