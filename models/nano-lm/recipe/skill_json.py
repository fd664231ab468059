"""Skill 4b: named fields of a sentence, as JSON."""
import json

import lexicon_en as en
import lexicon_zh as zh
from facts_in_text import person

FIELDS = {"name": "姓名", "city": "城市", "job": "职业", "day": "日期"}
S = {"zh": ["{name}是{city}的{job}，{day}休息。", "来自{city}的{name}是一名{job}，{day}上班。"], "en": ["{name} from {city} is a {job} and works on {day}.", "On {day} the {job} {name} travels to {city}."]}


def row(rng, lang):
    lex = zh if lang == "zh" else en
    v = {"name": person(rng, lang), "city": rng.choice(lex.CITIES), "job": rng.choice(lex.JOBS), "day": rng.choice(lex.DAYS)}
    keys = rng.sample(list(FIELDS), rng.choice([1, 2, 2, 3]))
    if lang == "zh":
        ins = "用JSON写出" + "、".join(FIELDS[k] for k in keys) + "（" + ", ".join(keys) + "）。"
    else:
        ins = "Extract " + ", ".join(keys) + " as JSON."
    return {"instruction": ins, "input": rng.choice(S[lang]).format(**v), "output": json.dumps({k: v[k] for k in keys}, ensure_ascii=False), "key": v["name"] + v["city"]}
