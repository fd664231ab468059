"""The whole recipe in one command: evaluation sets, tokenizer, pre-training, export, figures.

    python models/nano-lm/recipe/make.py [--work DIR] [--only sets|tokenizer|train|export|evaluate]

--work holds the training state (a temporary folder by default); a run that was stopped goes on from it.
"""
import argparse
import json
import tempfile
from pathlib import Path

from evaluate import write_sets

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "inkstone-nano-lm")
    ap.add_argument("--only", choices=["sets", "tokenizer", "train", "export", "evaluate"])
    a = ap.parse_args()
    recipe = json.loads((HERE / "recipe.json").read_text())
    do = lambda step: a.only in (None, step)
    if do("sets"):
        write_sets(MODEL / "eval")
    if do("tokenizer"):
        from tokenizer import build
        build(MODEL, recipe["seed"], recipe["stages"][0][1], recipe["tokenizer_rows"], recipe["vocab"])
    if do("train"):
        from pretrain import pretrain
        pretrain(recipe, MODEL, a.work)
    if do("export"):
        from export import export
        export(a.work / "last.pt", MODEL)
    if do("evaluate"):
        import torch
        from tokenizers import Tokenizer
        from transformers import AutoModelForCausalLM
        from evaluate import report, score
        model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
        print(report(score(model, Tokenizer.from_file(str(MODEL / "tokenizer.json")), MODEL / "eval")))


if __name__ == "__main__":
    main()
