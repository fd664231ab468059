"""Checks a sample with Python's PEFT: accuracy and ROUGE-L on the held-out rows, before and after, with the sample's own config.

    python models/samples/tune.py models/nano-lm medical [--lang zh|en] [--config FILE] [--set learning_rate=0.004 ...] [--output DIR]

Loss on the answer only, mean over the target tokens of an accumulated batch, clipping by the global norm, as the Trainer does.
Exact match: after trimming, lower case, spaces collapsed and final punctuation dropped. ROUGE-L: F1 over characters of CJK and words of the rest.
"""
import argparse
import json
import math
import random
import re
import sys
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "nano-lm" / "recipe"))
from evaluate import answers  # noqa: E402
from wrap import chat, plain  # noqa: E402


def normal(text):
    return re.sub(r"[\s.,;:!?。，；：！？]+$", "", re.sub(r"\s+", " ", text.strip().lower()))


def rouge_l(got, want):
    cut = lambda s: re.findall(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+", normal(s))
    a, b = cut(got), cut(want)
    row = [0] * (len(b) + 1)
    for x in a:
        new = [0]
        for j, y in enumerate(b):
            new.append(row[j] + 1 if x == y else max(row[j + 1], new[-1]))
        row = new
    return 2 * row[-1] / (len(a) + len(b)) if a and b else 0.0


def measure(model, tok, rows, wrap):
    got = answers(model, tok, ["".join(t for t, a in wrap(r)[: first_answer(wrap(r))]) for r in rows], most=32)
    exact = sum(normal(g) == normal(r["output"]) for g, r in zip(got, rows)) / len(rows)
    return exact, sum(rouge_l(g, r["output"]) for g, r in zip(got, rows)) / len(rows), got


def first_answer(parts):
    return next(i for i, (_, a) in enumerate(parts) if a)


def encode(tok, parts):
    ids, labels = [], []
    for text, answer in parts:
        piece = tok.encode(text).ids
        ids += piece
        labels += piece if answer else [-100] * len(piece)
    return ids, labels


def factor(step, steps, c):
    warm = math.ceil(steps * c.get("warmup_ratio", 0.0))
    if step < warm:
        return step / max(1, warm)
    done = (step - warm) / max(1, steps - warm)
    kind = c.get("lr_scheduler_type", "linear")
    return 1.0 if kind.startswith("constant") else 1 - done if kind == "linear" else 0.5 * (1 + math.cos(math.pi * done))


def tune(base, tok, rows, c, wrap):
    torch.manual_seed(c["seed"])
    model = get_peft_model(base, LoraConfig(r=c["r"], lora_alpha=c["lora_alpha"], lora_dropout=c["lora_dropout"], target_modules=c["target_modules"], task_type="CAUSAL_LM"))
    model.train()
    params = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(params, lr=c["learning_rate"], betas=(0.9, 0.999), weight_decay=c.get("weight_decay", 0.0))
    data = [encode(tok, wrap(r)) for r in rows]
    per, acc = c["per_device_train_batch_size"], c["gradient_accumulation_steps"]
    steps = math.ceil(math.ceil(len(data) / per) / acc) * c["num_train_epochs"]
    rng, step, seen, losses = random.Random(c["seed"]), 0, 0, []
    for _ in range(c["num_train_epochs"]):
        order = rng.sample(range(len(data)), len(data))
        for at in range(0, len(order), per * acc):
            group = [data[i] for i in order[at:at + per * acc]]
            n = max(len(i) for i, _ in group)
            ids = torch.tensor([i + [0] * (n - len(i)) for i, _ in group])
            labels = torch.tensor([y + [-100] * (n - len(y)) for _, y in group])
            for g in opt.param_groups:
                g["lr"] = c["learning_rate"] * factor(step, steps, c)
            logits = model(input_ids=ids[:, :-1]).logits
            loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]).float(), labels[:, 1:].reshape(-1))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(params, c.get("max_grad_norm", 1.0))
            opt.step()
            opt.zero_grad()
            seen += sum(len(i) for i, _ in group)
            losses.append(loss.item())
            step += 1
    return model, steps, seen, losses


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("model", type=Path)
    ap.add_argument("sample")
    ap.add_argument("--lang", choices=["zh", "en"])
    ap.add_argument("--config", type=Path)
    ap.add_argument("--set", nargs="*", default=[])
    ap.add_argument("--template", action="store_true", help="the instruction template in place of the chat template")
    ap.add_argument("--show", action="store_true")
    ap.add_argument("--output", type=Path, help="save the adapter, one folder a language")
    a = ap.parse_args()
    c = json.loads((a.config or HERE / f"{a.model.name}.config.json").read_text())
    c.update({k: json.loads(v) for k, v in (s.split("=", 1) for s in a.set)})
    tok = Tokenizer.from_file(str(a.model / "tokenizer.json"))
    for lang in [a.lang] if a.lang else ["zh", "en"]:
        base = AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32)
        load = lambda kind: json.loads((HERE / f"{a.sample}.{lang}{kind}.json").read_text(encoding="utf-8"))
        wrap = (lambda r: plain(r, lang)) if a.template else chat
        train, held = load(""), load(".eval")
        before, began = measure(base, tok, held, wrap), time.time()
        model, steps, seen, losses = tune(base, tok, train, c, wrap)
        after = measure(model, tok, held, wrap)
        print(f"{a.sample}.{lang}: exact {100 * before[0]:.1f} -> {100 * after[0]:.1f} %, ROUGE-L {before[1]:.3f} -> {after[1]:.3f}, {len(held)} held-out rows, {steps} steps, {seen} tokens, loss {losses[0]:.2f} -> {sum(losses[-5:]) / 5:.3f}, {time.time() - began:.0f} s", flush=True)
        if a.show:
            for r, b, g in zip(held, before[2], after[2]):
                if normal(g) != normal(r["output"]):
                    print("  ", r["instruction"], "|", r["output"], "|", g, "| before:", b)
        if a.output:
            model.save_pretrained(a.output / lang)


if __name__ == "__main__":
    main()
