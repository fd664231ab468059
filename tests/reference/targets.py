"""Which modules PEFT puts LoRA on, with what rank and alpha each, for configs over a model of twelve blocks: its own
check_target_module_exists and get_pattern_key, and for expressions alone Python's re."""

import re

import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import _ExcludedModule, _maybe_include_all_linear_layers, check_target_module_exists
from peft.utils.other import get_pattern_key
from transformers import AutoConfig, AutoModelForCausalLM

from shared import GOLDENS, write_json

QV = ["q_proj", "v_proj"]
# Unsloth's, as it writes them into adapter_config.json.
UNSLOTH = (
    r"(?:.*?(?:language|text).*?(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense).*?(?:k_proj|v_proj|down_proj).*?)"
    r"|(?:\bmodel\.layers\.[\d]{1,}\.(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense)\.(?:(?:q_proj|gate_proj)))"
)
CONFIGS = [
    dict(target_modules=QV),
    dict(target_modules="all-linear"),
    dict(target_modules="all-linear", exclude_modules=["down_proj", "layers.0.self_attn.q_proj"]),
    # A whole name, ends from a dot on; what only looks like an end is none; what is not there changes nothing.
    dict(target_modules=["layers.0.self_attn.q_proj"]),
    dict(target_modules=["model.layers.11.mlp.up_proj", "1.self_attn.k_proj", "layers.99.mlp.up_proj"]),
    dict(target_modules=["attn.q_proj", "o_proj"]),
    dict(target_modules=QV, layers_to_transform=1),
    dict(target_modules=QV, layers_to_transform=0),
    dict(target_modules=QV, layers_to_transform=[1, 11, 40]),
    dict(target_modules=QV, layers_to_transform=[3], layers_pattern="layers"),
    dict(target_modules=QV, layers_to_transform=[3], layers_pattern=["h", "model.layers"]),
    dict(target_modules=QV, layers_to_transform=[3], layers_pattern="h"),
    # A whole name stays, whatever its block.
    dict(target_modules=["model.layers.2.self_attn.q_proj", "v_proj"], layers_to_transform=[5]),
    dict(target_modules=["layers.2.self_attn.q_proj", "v_proj"], layers_to_transform=[5]),
    dict(target_modules=QV, exclude_modules=["v_proj"]),
    dict(target_modules=QV, exclude_modules=["model.layers.4.self_attn.q_proj", "lm_head", "proj"]),
    dict(target_modules=QV, exclude_modules=r".*\.(0|1\d)\..*"),
    dict(target_modules=QV, exclude_modules=QV),
    dict(target_modules=QV, exclude_modules="q_proj"),
    dict(target_modules=r".*\.[qk]_proj"),
    dict(target_modules=r"model\.layers\.(?:[0-3]|1[01])\.self_attn\.(?P<which>q|v)_proj"),
    dict(target_modules=r"^(?!.*(?:self_attn|\.0\.)).*_proj$"),
    dict(target_modules=r"model.*(?=\.q_proj|\.up_proj)\..*"),
    dict(target_modules=r".*q_proj|.*v_proj", exclude_modules=r".*layers\.[0-9]\..*v.*"),
    dict(target_modules=UNSLOTH),
    dict(target_modules="q_pro[^j]"),
    # What is no linear layer of a block, `refused`.
    dict(target_modules=".*"),
    dict(target_modules=r".*(q_proj|lm_head)"),
    dict(target_modules=r".*(q_proj|lm_head)", exclude_modules=["lm_head"]),
    dict(target_modules=r"model\.layers\.0\..*"),
    dict(target_modules=QV, rank_pattern={"q_proj": 2}, alpha_pattern={"v_proj": 3}),
    # The first that fits counts.
    dict(target_modules=QV, rank_pattern={"layers.1.self_attn.q_proj": 2, "q_proj": 16, ".*": 5}),
    dict(target_modules=QV, rank_pattern={"q_proj": 16, "layers.1.self_attn.q_proj": 2}),
    dict(target_modules=QV, rank_pattern={"^model.layers.0.*": 3, "^layers": 7, "proj": 9}),
    dict(target_modules=QV, rank_pattern={"l.yers.1.self_attn.q_proj": 3, r"\d\.self_attn\.v_proj": 4}),
    dict(target_modules=QV, alpha_pattern={r"layers\.(1|2)\..*": 1.5, "nowhere": 2, "model": 4}, use_rslora=True),
    dict(target_modules=QV, rank_pattern={"self_attn|v_proj": 3, "q_proj$": 5}),
]
NAMES = ["model.layers.0.self_attn.q_proj", "model.layers.10.mlp.up_proj", "model.norm", "lm_head", "a", "aaaa", "aab", ""]
EXPRESSIONS = [
    "a*", "a+?", "a?a?a?a?", "(a*)*", "(a*)+b", "(?:a|aa)+", "a{2}", "a{2,}", "a{,3}", "a{1,3}b?", "a{,}", "a{x}", "{}",
    "[a]+", "[^b]*", r"[\w.]+", r"[a-m.\d_-z]+", "[]a]+", "[^]]+", "a||b", "(|a)b*", "", "^$", r"\Aa+\Z", "a$", "^a",
    r"\bmodel\b.*", r"\Bodel.*", r"m\w+\.n\S*", r"\D+", r".*\d{2}.*", "(?=a)a*", "(?!aa)a.*", "a(?=b).?b?", "(?:(?!q_).)*",
    "(?P<x>lm)_head", "model.norm", r"model\.norm", r"lm\_head", ".*[.]up_proj", "((((a)))+)*", "(a{0,2}){2}", "(?:)*a",
]  # fmt: skip


def target(config: dict, names: list[str], linear: set[str]) -> dict:
    wanted = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, **config)
    found = []
    for name in names:
        result = check_target_module_exists(wanted, name)
        if not result or isinstance(result, _ExcludedModule):
            continue
        if name not in linear:
            return {"config": config, "refused": name}
        r = wanted.rank_pattern.get(get_pattern_key(wanted.rank_pattern.keys(), name), wanted.r)
        alpha = wanted.alpha_pattern.get(get_pattern_key(wanted.alpha_pattern.keys(), name), wanted.lora_alpha)
        found.append([name, r, alpha])
    return {"config": config, "targets": found}


def make_targets() -> None:
    config = AutoConfig.from_pretrained(GOLDENS / "models" / "llama-tied", num_hidden_layers=12)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    modules = {name: module for name, module in model.named_modules() if name}
    linear = {name for name, module in modules.items() if isinstance(module, torch.nn.Linear)} - {"lm_head"}
    cases = []
    for chosen in CONFIGS:
        case = target(expanded(chosen, model), list(modules), linear)
        cases.append(case | {"config": chosen})
    expressions = [
        {
            "pattern": pattern,
            "whole": [name for name in NAMES if re.fullmatch(pattern, name)],
            # As get_pattern_key has it, which gives back the name itself where nothing fits.
            "end": [name for name in NAMES if re.match(rf"(.*\.)?({pattern})$", name)],
        }
        for pattern in EXPRESSIONS
    ]
    goldens = {"modules": list(modules), "names": NAMES, "cases": cases, "expressions": expressions}
    write_json(GOLDENS / "targets.json", goldens)


def expanded(config: dict, model) -> dict:
    if config["target_modules"] != "all-linear":
        return config
    whole = _maybe_include_all_linear_layers(LoraConfig(task_type="CAUSAL_LM", **config), model)
    return config | {"target_modules": sorted(whole.target_modules)}
