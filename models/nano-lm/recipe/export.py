"""A training state becomes the Hugging Face folder: float16 safetensors, config.json, generation_config.json."""
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from pretrain import config


def export(state: Path, folder: Path):
    weights = torch.load(state, map_location="cpu")["model"]
    tensors = {k: v.to(torch.float16).contiguous() for k, v in weights.items() if k != "lm_head.weight"}
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    c = config(tensors["model.embed_tokens.weight"].shape[0]).to_dict()
    keep = ("attention_bias attention_dropout bos_token_id eos_token_id head_dim hidden_act hidden_size initializer_range intermediate_size max_position_embeddings mlp_bias "
            "model_type num_attention_heads num_hidden_layers num_key_value_heads pad_token_id rms_norm_eps tie_word_embeddings use_cache vocab_size").split()
    out = {"architectures": ["LlamaForCausalLM"], **{k: c[k] for k in keep if k in c}, "rope_theta": 10000.0, "torch_dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(out, indent=2) + "\n")
    (folder / "generation_config.json").write_text(json.dumps({"bos_token_id": 0, "do_sample": False, "eos_token_id": [2, 0], "max_new_tokens": 96, "pad_token_id": 0}, indent=2) + "\n")
