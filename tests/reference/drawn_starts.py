"""Where PEFT starts from with `init_lora_weights` gaussian, orthogonal and false, before any step; of orthogonal also the
normals that it drew, so that the formula can be held against it without its generator.
"""

from unittest import mock

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

from shared import GOLDENS, load_base

MODEL = "llama-untied-gqa"
CASES = {
    "gaussian": dict(init_lora_weights="gaussian"),
    "orthogonal": dict(init_lora_weights="orthogonal"),
    "false": dict(init_lora_weights=False, use_dora=True),
}


def make_drawn_starts() -> None:
    tensors = {}
    for index, (name, options) in enumerate(CASES.items()):
        torch.manual_seed(2100 + index)
        base = load_base(GOLDENS / "models" / MODEL)
        untouched = {key: value.clone() for key, value in base.state_dict().items()}
        config = LoraConfig(
            task_type="CAUSAL_LM", r=4, lora_alpha=6, target_modules=["k_proj", "down_proj"],
            rank_pattern={"down_proj": 6}, **options,
        )  # fmt: skip
        drawn = []
        randn = torch.randn

        def recorded(*size, **rest):
            drawn.append(randn(*size, **rest))
            return drawn[-1].clone()

        with mock.patch("torch.randn", recorded):
            model = get_peft_model(base, config)
        paths = []
        for path, module in model.get_base_model().named_modules():
            if not hasattr(module, "lora_A"):
                continue
            paths.append(path)
            assert torch.equal(module.get_base_layer().weight, untouched[f"{path}.weight"]), f"{name} changes {path}"
            tensors[f"{name}.{path}.lora_A"] = module.lora_A["default"].weight
            tensors[f"{name}.{path}.lora_B"] = module.lora_B["default"].weight
            if options.get("use_dora"):
                tensors[f"{name}.{path}.magnitude"] = module.lora_magnitude_vector["default"].weight
        assert len(drawn) == (3 * len(paths) if name == "orthogonal" else 0)
        for path in paths if drawn else []:
            for kind in ("square", "for_a", "for_b"):
                tensors[f"{name}.{path}.{kind}"] = drawn.pop(0)
        print("drawn start", name, flush=True)
    save_file({key: value.detach().contiguous() for key, value in tensors.items()}, GOLDENS / "drawn-starts.safetensors")


if __name__ == "__main__":
    make_drawn_starts()
