"""Bare text in which half the tokens follow from an earlier half: a list said twice, pairs said twice in another order.

It makes the heads that copy and look up appear early; without it they come late in so short a run. Not evaluated.
"""
from skill_copy import phrase, word


def row(rng, lang):
    sep = rng.choice(["，", "、", " ", "\n", "；"] if lang == "zh" else [", ", " ", "\n", "; "])
    if rng.random() < 0.5:
        text = sep.join(word(rng, lang) for _ in range(rng.randint(6, 20)))
        return {"raw": [(text + "\n", False), (text + "\n", True)], "key": text}
    keys = []
    while len(keys) < rng.randint(3, 7):
        w = word(rng, lang)
        if w not in keys:
            keys.append(w)
    link = rng.choice(["：", "是", " -> ", "，", "=", "？", "的"] if lang == "zh" else [": ", " is ", " -> ", " = ", "? ", " "])
    stop = rng.choice(["\n", "。", "；"] if lang == "zh" else ["\n", ". ", "; "])
    values = [phrase(rng, lang, 2) for _ in keys]
    order = rng.sample(range(len(keys)), len(keys))
    if lang == "en" and link.endswith(" "):  # the space goes with the value, as the tokenizer has it
        link, values = link[:-1], [" " + v for v in values]
    parts = [(stop.join(k + link + v for k, v in zip(keys, values)) + stop, False)]
    for i in order:
        parts += [(keys[i] + link, False), (values[i] + stop, True)]
    return {"raw": parts, "key": "".join(keys)}
