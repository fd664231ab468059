"""How fast PyTorch and PEFT take the LoRA step that `npm run bench -- --only lora-step/` times, on this machine.

    python tests/reference/lora_speed.py [--device cuda] [--dtype float32 bfloat16] [--rounds 12]

The same problem: a random checkpoint of the shape, rank 8 on q and v, AdamW, clipping at norm 1, a loss on each token
but the first of a row; SDPA attention, no compilation. bfloat16: the base in it, the adapter in float32 under autocast.
Prints a table of tokens/s (of the median step) and of the memory at the peak, to be set beside the bench's own.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

ROOT = Path(__file__).resolve().parents[2]
# name: (config.json, rows, tokens of each), as in tests/bench/main.ts
SHAPES = {
    "nano-lm": (ROOT / "models/nano-lm/config.json", 4, 64),
    "smollm2-135m": (ROOT / "tests/bench/shapes/smollm2-135m.json", 1, 64),
}
WARM_UP = 4


def build(config_file: Path, device: str, dtype: torch.dtype):
    config = AutoConfig.from_pretrained(config_file)
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="sdpa")
    lora = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(model, lora, autocast_adapter_dtype=True).to(device).train()
    trained = [value for value in model.parameters() if value.requires_grad]
    return model, trained, torch.optim.AdamW(trained, lr=2e-4, weight_decay=0.0, fused=device == "cuda")


def measure(shape: str, device: str, dtype: torch.dtype, rounds: int) -> tuple[float, float | None]:
    """Tokens/s of the median step, and MB at the peak where the device counts them."""
    config_file, rows, tokens = SHAPES[shape]
    model, trained, optimizer = build(config_file, device, dtype)
    generator = torch.Generator().manual_seed(7)
    ids = torch.randint(model.config.vocab_size, (rows, tokens), generator=generator).to(device)
    seconds = []
    for _ in range(WARM_UP + rounds):
        start = time.perf_counter()
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()  # Waits for the device, as the bench waits for each loss.
        seconds.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else None
    return rows * tokens / statistics.median(seconds[WARM_UP:]), peak


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--shape", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--rounds", type=int, default=12)
    asked = parser.parse_args()
    name = torch.cuda.get_device_name() if asked.device == "cuda" else f"processor, {torch.get_num_threads()} threads"
    print(f"PyTorch {torch.__version__} on {name}\n\n| what | dtype | tokens/s | MB at the peak |\n| --- | --- | ---: | ---: |")
    for shape in asked.shape:
        for dtype in asked.dtype:
            if asked.device == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            rate, peak = measure(shape, asked.device, getattr(torch, dtype), asked.rounds)
            print(f"| lora-step/{shape} | {dtype} | {rate:.4g} | {'-' if peak is None else f'{peak:.4g}'} |", flush=True)


if __name__ == "__main__":
    main()
