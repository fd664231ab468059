"""Adapters whose start leaves the base alone, as PEFT saves them, and what they answer once PEFT has loaded them again:
what `init_lora_weights` says then counts for nothing.
"""

import json
import shutil

import torch
from peft import EvaConfig, LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from shared import GOLDENS, load_base, save_adapter

MODEL = "llama-tied"
CASES = {
    "gaussian": dict(init_lora_weights="gaussian"),
    "false": dict(init_lora_weights=False),
    "orthogonal": dict(init_lora_weights="orthogonal", use_rslora=True),
    "eva": dict(init_lora_weights="eva", eva_config=EvaConfig(), rank_pattern={"layers.0.self_attn.q_proj": 2}),
    "mica": dict(init_lora_weights="mica"),
}


def make_starts() -> None:
    shutil.rmtree(GOLDENS / "starts", ignore_errors=True)
    batch = load_file(GOLDENS / "models" / MODEL / "forward.safetensors")
    inputs = {key: batch[key].long() for key in ("input_ids", "attention_mask")}
    for index, (name, options) in enumerate(CASES.items()):
        torch.manual_seed(2000 + index)
        base = load_base(GOLDENS / "models" / MODEL)
        untouched = {key: value.clone() for key, value in base.state_dict().items()}
        config = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], **options)
        model = get_peft_model(base, config)
        for key, value in model.get_base_model().state_dict().items():
            key = key.replace(".base_layer", "")
            assert "lora_" in key or torch.equal(value, untouched[key]), f"{name} changes {key}"
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if "lora_" in key:
                    parameter += 0.1 * torch.randn(parameter.shape)
        folder = GOLDENS / "starts" / name
        save_adapter(model, folder, MODEL)
        saved = json.loads((folder / "adapter_config.json").read_text())["init_lora_weights"]
        assert saved == options["init_lora_weights"], f"{name} is saved as {saved}"
        loaded = PeftModel.from_pretrained(load_base(GOLDENS / "models" / MODEL), folder).eval()
        with torch.no_grad():
            logits = loaded(**inputs).logits
        save_file({"logits": logits.contiguous()}, folder / "logits.safetensors")
        print("start", name, flush=True)


if __name__ == "__main__":
    make_starts()
