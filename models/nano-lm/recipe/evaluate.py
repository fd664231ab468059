"""Greedy answers on the held-out rows of eval/, each in both wrappers, compared as each file's rule says.

    python models/nano-lm/recipe/evaluate.py models/nano-lm [--limit N] [--show]
"""
import argparse
import json
import random
import re
from pathlib import Path

import torch
from tokenizers import Tokenizer

from corpus import SKILLS, draw
from wrap import END, chat, messages_of, plain

ITEMS, SEED = 50, 20261124


def write_sets(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(s, s, {}) for s in SKILLS if s not in ("sum", "drill")] + [("sum", "sum", {"steps": False}), ("sum-steps", "sum", {"steps": True})]
    for name, skill, how in jobs:
        for lang in ("zh", "en"):
            rng, rows, keys = random.Random(f"{SEED}{name}{lang}"), [], set()
            while len(rows) < ITEMS:
                row = draw(rng, skill, lang, "eval", **how)
                same = json.dumps(row, ensure_ascii=False, sort_keys=True)
                if same not in keys:
                    keys.add(same)
                    rows.append({k: v for k, v in row.items() if k in ("instruction", "input", "output", "messages")})
            text = ",\n".join(json.dumps(r, ensure_ascii=False) for r in rows)
            (folder / f"{name}.{lang}.json").write_text(f"[\n{text}\n]\n", encoding="utf-8")


def right(name, got, want):
    """sum-steps: the last number. All else: the same text after trimming."""
    if name == "sum-steps":
        return re.findall(r"-?\d+", got)[-1:] == re.findall(r"-?\d+", want)[-1:]
    return got.strip() == want.strip()


@torch.no_grad()
def answers(model, tok, prompts, most=72, width=64):
    """Greedy continuation of each prompt up to eos; rows of one length go together, so nothing is padded."""
    from transformers import DynamicCache
    model.eval()
    stop, out = tok.token_to_id(END), [None] * len(prompts)
    ids = [tok.encode(p).ids for p in prompts]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    while order:
        n = len(ids[order[0]])
        group = [i for i in order[:width] if len(ids[i]) == n]
        order = order[len(group):]
        x, cache, made, live = torch.tensor([ids[i] for i in group]), DynamicCache(config=model.config), [[] for _ in group], set(range(len(group)))
        for _ in range(most):
            nxt = model(x, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1].argmax(-1)
            for k in list(live):
                if int(nxt[k]) == stop:
                    live.discard(k)
                else:
                    made[k].append(int(nxt[k]))
            if not live:
                break
            x = nxt[:, None]
        for k, i in enumerate(group):
            out[i] = tok.decode(made[k], skip_special_tokens=False)
    return out


def cases(folder: Path, limit):
    for path in sorted(folder.glob("*.json")):
        name, lang = path.stem.rsplit(".", 1)
        for row in json.loads(path.read_text(encoding="utf-8"))[:limit]:
            turns = messages_of(row)
            want = turns[-1]["content"]
            parts = chat({"messages": turns})
            yield name, lang, "chat", "".join(t for t, _ in parts[:-2]), want
            if "messages" not in row:
                yield name, lang, "template", plain(row, lang)[0][0], want


def score(model, tok, folder: Path, limit=10**9, show=False):
    items = list(cases(folder, limit))
    table = {}
    for (name, lang, kind, prompt, want), got in zip(items, answers(model, tok, [c[3] for c in items])):
        ok = right(name, got, want)
        table.setdefault((name, lang), {}).setdefault(kind, []).append(ok)
        if show and not ok:
            print(json.dumps([name, lang, kind, prompt[-160:], want, got], ensure_ascii=False))
    return table


def report(table):
    lines = ["| skill | language | template | chat | both |", "|---|---|---|---|---|"]
    for (name, lang), kinds in sorted(table.items()):
        cell = lambda v: f"{100 * sum(v) / len(v):.0f} % ({sum(v)}/{len(v)})" if v else "-"
        lines.append(f"| {name} | {lang} | {cell(kinds.get('template', []))} | {cell(kinds.get('chat', []))} | {cell(kinds.get('template', []) + kinds.get('chat', []))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    from transformers import AutoModelForCausalLM
    ap = argparse.ArgumentParser()
    ap.add_argument("model", type=Path)
    ap.add_argument("--limit", type=int, default=10**9)
    ap.add_argument("--show", action="store_true")
    a = ap.parse_args()
    torch.set_num_threads(min(2, torch.get_num_threads()))
    model = AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32)
    print(report(score(model, Tokenizer.from_file(str(a.model / "tokenizer.json")), Path(__file__).parents[1] / "eval", a.limit, a.show)))
