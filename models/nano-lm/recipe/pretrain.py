"""Pre-training: rows bucketed by length, loss on every answer token and on a sample of the prompt's.

Hidden matrices take Muon, the embedding and the norms AdamW; warm-up, a plateau, then a linear fall (so a run can be
lengthened without changing what came before). The mixture may change at named steps. Two processes of one thread each
average their gradients once a step: on a shared machine that loses far less to waiting than two threads in one process.
The rows are drawn anew from (seed, step, process) every CHUNK steps, so a run resumed from a checkpoint goes the same way.
"""
import os
import random
import time

import torch
import torch.distributed as dist
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from corpus import stream

PROMPT_SHARE, PROMPT_WEIGHT = 0.25, 0.5
CHUNK, PROCESSES = 200, 2


def config(vocab):
    return LlamaConfig(
        vocab_size=vocab, hidden_size=256, intermediate_size=512, num_hidden_layers=5, num_attention_heads=8, num_key_value_heads=4,
        head_dim=32, tie_word_embeddings=True, max_position_embeddings=1024, rope_theta=10000.0, rms_norm_eps=1e-5,
        bos_token_id=0, pad_token_id=0, eos_token_id=2, attn_implementation="eager",
    )


def batches(tok, seed, mixture, tokens):
    """(ids, weights): ids (B, T) right-padded; weights (B, T) of predicting each id from those before it."""
    rng, rows = random.Random(seed), stream(seed, mixture)
    while True:
        made = []
        for _ in range(1500):
            _, _, parts = next(rows)
            ids, w = [], []
            for text, answer in parts:
                piece = tok.encode(text).ids
                ids += piece
                w += [1.0 if answer else PROMPT_WEIGHT if rng.random() < PROMPT_SHARE else 0.0 for _ in piece]
            if len(ids) <= 256:
                made.append((ids, w))
        made.sort(key=lambda x: len(x[0]))
        group, groups = [], []
        for r in made:
            if group and len(r[0]) * (len(group) + 1) > tokens:
                groups.append(group)
                group = []
            group.append(r)
        rng.shuffle(groups)
        for g in groups:
            n = -(-max(len(i) for i, _ in g) // 8) * 8  # few distinct shapes
            yield torch.tensor([i + [0] * (n - len(i)) for i, _ in g]), torch.tensor([w + [0.0] * (n - len(w)) for _, w in g])


def rate(step, cycles, fall, warm=100):
    """Warm-up, plateau, linear fall; cycles are the steps at which one ends and the next begins anew."""
    end = next(c for c in cycles if step < c)
    begin = max([c for c in cycles if c <= step], default=0)
    at, steps = step - begin, end - begin
    start = int(steps * (1 - fall))
    return min(1.0, (at + 1) / warm) * (1.0 if at < start else max(0.02, (steps - at) / (steps - start)))


def build_optimisers(model, muon_lr, adam_lr):
    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    other = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [torch.optim.Muon(hidden, lr=muon_lr, weight_decay=0.02, momentum=0.95), torch.optim.AdamW(other, lr=adam_lr, betas=(0.9, 0.98), weight_decay=0.01)]


def mean_over_processes(model):
    grads = [p.grad for p in model.parameters()]
    flat = torch.cat([g.reshape(-1) for g in grads])
    dist.all_reduce(flat)
    at = 0
    for g in grads:
        g.copy_(flat[at:at + g.numel()].view_as(g) / PROCESSES)
        at += g.numel()


def worker(rank, recipe, folder, work):
    """recipe: seed, cycles, fall, tokens, muon_lr, adam_lr, stages [[from step, mixture], ...]."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(recipe.get("port", 29611)))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=PROCESSES)
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    torch.manual_seed(recipe["seed"])
    model = LlamaForCausalLM(config(tok.get_vocab_size()))
    core = torch.compile(model.model, dynamic=True)
    opts = build_optimisers(model, recipe["muon_lr"], recipe["adam_lr"])
    last, first = work / "last.pt", 0
    if last.exists():
        state = torch.load(last)
        first = state["step"]
        model.load_state_dict(state["model"])
        for o, s in zip(opts, state["optimisers"]):
            o.load_state_dict(s)
    dist.barrier()
    seen, total, began = 0, 0.0, time.time()
    for step in range(first, recipe["cycles"][-1]):
        if step % CHUNK == 0 or step == first:
            mixture = [m for at, m in recipe["stages"] if at <= step][-1]
            source = batches(tok, recipe["seed"] * 1_000_003 + step * 10 + rank, mixture, recipe["tokens"])
        for o, lr in zip(opts, (recipe["muon_lr"], recipe["adam_lr"])):
            o.param_groups[0]["lr"] = lr * rate(step, recipe["cycles"], recipe["fall"])
        ids, w = next(source)
        w = w[:, 1:].reshape(-1)
        at = w.nonzero().squeeze(1)
        with torch.autocast("cpu", torch.bfloat16):
            h = core(ids[:, :-1]).last_hidden_state.reshape(-1, model.config.hidden_size)[at]
            logits = model.lm_head(h)
        loss = torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:].reshape(-1)[at], reduction="none")
        w = w[at]
        ((loss * w).sum() / w.sum()).backward()
        mean_over_processes(model)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o in opts:
            o.step()
            o.zero_grad(set_to_none=True)
        seen += ids.numel() * PROCESSES
        total += float(loss[w == 1.0].detach().mean())
        if rank == 0 and (step + 1) % 50 == 0:
            print(f"step {step + 1} answer-loss {total / 50:.3f} tokens {seen} {seen / (time.time() - began):.0f}/s", flush=True)
            total = 0.0
        if (step + 1) % CHUNK == 0 or step + 1 == recipe["cycles"][-1]:
            if rank == 0:
                torch.save({"step": step + 1, "model": model.state_dict(), "optimisers": [o.state_dict() for o in opts]}, work / "new.pt")
                os.replace(work / "new.pt", last)
            dist.barrier()
    dist.destroy_process_group()


def pretrain(recipe, folder, work):
    """Trains (or goes on) until recipe["cycles"][-1]; the state is work/last.pt."""
    work.mkdir(parents=True, exist_ok=True)
    torch.multiprocessing.spawn(worker, (recipe, folder, work), nprocs=PROCESSES)
    return work / "last.pt"
