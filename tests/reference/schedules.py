"""Learning-rate schedule goldens: the rate used in each of 20 optimiser steps, from transformers' get_scheduler."""

import torch
from transformers import get_scheduler

from shared import GOLDENS, write_json

STEPS = 20
BASE_RATE = 1e-3


def rates(kind: str, warmup_steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE_RATE)
    scheduler = get_scheduler(kind, optimizer, num_warmup_steps=warmup_steps, num_training_steps=STEPS)
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
