"""What every reference script shares: determinism, loading, ragged batches and tidy PEFT folders.

Everything runs on the CPU in float32 on one thread, offline, so that two runs write identical bytes.
"""

import contextlib
import json
import os
import shutil
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import torch  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402
from transformers.utils import logging  # noqa: E402

HERE = Path(__file__).resolve().parent
GOLDENS = HERE / "goldens"
IGNORE = -100

logging.disable_progress_bar()
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def write_json(path: Path, value, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, **options) + "\n")


def load_base(folder: Path, dtype=torch.float32):
    """The model of an HF folder, eager attention; 16-bit weights are widened, not re-rounded."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager")


@contextlib.contextmanager
def no_narrowing(dtype):
    """transformers narrows norms, softmax, rotary angles and the loss to float32 by name. In a float64 run
    those names mean float64, so that the run is an oracle for the float32 one."""
    names = torch.float32, torch.float, torch.Tensor.float
    if dtype == torch.float64:
        torch.float32, torch.float, torch.Tensor.float = torch.float64, torch.float64, torch.Tensor.double
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = names


def pad_rows(rows: list[list[int]], value: int) -> torch.Tensor:
    """Ragged rows -> (B, T), padded on the right."""
    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows], dtype=torch.long)


def collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    """What DataCollatorForSeq2Seq does: pads to the longest row of this batch, labels with -100."""
    return {
        "input_ids": pad_rows([row["input_ids"] for row in rows], 0),
        "attention_mask": pad_rows([[1] * len(row["input_ids"]) for row in rows], 0),
        "labels": pad_rows([row["labels"] for row in rows], IGNORE),
    }


def read_rows(path: Path) -> list[list[int]]:
    """IDS.json: one row of token ids, or a list of rows (ragged rows are run one by one)."""
    rows = json.loads(path.read_text())
    return rows if isinstance(rows[0], list) else [rows]


def saved_key(parameter_name: str) -> str:
    """The key under which PEFT saves a parameter: its name without the adapter's name."""
    return parameter_name.replace(".default", "")


def save_adapter(model, folder: Path, base_name: str) -> None:
    """PEFT's own save, without the model card and with its sets (target_modules) in a fixed order."""
    shutil.rmtree(folder, ignore_errors=True)
    for config in model.peft_config.values():
        config.base_model_name_or_path = base_name
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    tidy_adapter_config(folder / "adapter_config.json")


def tidy_adapter_config(path: Path) -> None:
    config = json.loads(path.read_text())
    for key in ("target_modules", "feedforward_modules", "exclude_modules"):
        if isinstance(config.get(key), list):
            config[key].sort()
    write_json(path, config, sort_keys=True)
