"""check_by_name.py MODEL_DIR ADAPTER_DIR

Has PEFT find the base of an adapter by what its config says alone: lays MODEL_DIR out as the hub's copy on disk under
that name and commit, and loads ADAPTER_DIR with AutoPeftModelForCausalLM, offline. Its answer has to be that of the
adapter over MODEL_DIR, and the commit has to count: with another one nothing may be found. The model card is read by
huggingface_hub, and its `base_model` has to be the same name.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

HUB = tempfile.mkdtemp()
os.environ["HF_HUB_CACHE"] = HUB

from shared import load_base  # noqa: E402, I001  (sets the environment before huggingface_hub is imported)

import torch  # noqa: E402
from huggingface_hub import ModelCard  # noqa: E402
from peft import AutoPeftModelForCausalLM, PeftModel  # noqa: E402


def lay_out(model_folder: Path, name: str, revision: str) -> None:
    repo = Path(HUB) / f"models--{name.replace('/', '--')}"
    shutil.copytree(model_folder, repo / "snapshots" / revision, ignore=shutil.ignore_patterns("adapter", "forward*"))
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("0" * 40)


def main(model_folder: str, adapter_folder: str) -> None:
    text = (Path(adapter_folder) / "adapter_config.json").read_text()
    name, revision = (json.loads(text)[key] for key in ("base_model_name_or_path", "revision"))
    lay_out(Path(model_folder), name, revision)
    ids = torch.tensor([[5, 3, 8, 13, 2]])
    with torch.no_grad():
        by_name = AutoPeftModelForCausalLM.from_pretrained(adapter_folder, attn_implementation="eager")(ids).logits
        by_path = PeftModel.from_pretrained(load_base(Path(model_folder)), adapter_folder)(ids).logits
    if not torch.equal(by_name, by_path):
        sys.exit("found by name it answers otherwise")
    with tempfile.TemporaryDirectory() as other:
        shutil.copytree(adapter_folder, other, dirs_exist_ok=True)
        (Path(other) / "adapter_config.json").write_text(text.replace(revision, "0" * 40))
        try:
            AutoPeftModelForCausalLM.from_pretrained(other)
        except OSError:
            pass
        else:
            sys.exit("another commit was found")
    card = ModelCard.load(Path(adapter_folder) / "README.md").data.to_dict()
    if card["base_model"] != name:
        sys.exit(f"the card names {card['base_model']}")
    print(f"{name} at {revision}; card: {card}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    finally:
        shutil.rmtree(HUB, ignore_errors=True)
