"""check_adapter.py MODEL_DIR ADAPTER_DIR IDS.json OUT.safetensors

Loads a model folder with transformers and an adapter folder with PEFT, strictly: an adapter tensor that PEFT
would ignore, or one that it misses, is an error. Writes `logits.<row>` (T, V) float32 for every row of IDS.json.
"""

import sys
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from shared import load_base, read_rows


def load_strictly(model_folder: Path, adapter_folder: Path):
    model = PeftModel.from_pretrained(load_base(model_folder), adapter_folder)
    given = load_file(adapter_folder / "adapter_model.safetensors")
    taken = get_peft_model_state_dict(model, save_embedding_layers=False)
    if given.keys() != taken.keys():
        sys.exit(f"not taken: {sorted(given.keys() - taken.keys())}; missing: {sorted(taken.keys() - given.keys())}")
    for key, value in given.items():
        if not torch.equal(value.float(), taken[key].float()):
            sys.exit(f"{key}: PEFT holds other values than the file")
    return model.eval()


def main(model_folder: str, adapter_folder: str, ids: str, out: str) -> None:
    model = load_strictly(Path(model_folder), Path(adapter_folder))
    with torch.no_grad():
        logits = {
            f"logits.{index}": model(input_ids=torch.tensor([row])).logits[0].contiguous()
            for index, row in enumerate(read_rows(Path(ids)))
        }
    save_file(logits, out)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
