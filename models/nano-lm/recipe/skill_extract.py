"""Skill 2a: the answer to a question, taken out of a short passage of several facts."""
from facts_in_text import ask, passage

ASK = {"zh": ["根据短文回答问题。", "阅读下面的内容，回答问题。", "从资料中找出答案。"], "en": ["Answer from the passage.", "Read the text and answer the question.", "Find the answer in the text."]}
Q = {"zh": "问题：", "en": "Question: "}


def row(rng, lang):
    facts = passage(rng, lang, rng.choice([1, 2, 2, 3, 3]))
    e, k, v, _ = rng.choice(facts)
    text, q = ("" if lang == "zh" else " ").join(f[3] for f in facts), ask(rng, lang, e, k)
    if rng.random() < 0.5:
        ins, inp = q, text
    else:
        ins, inp = rng.choice(ASK[lang]), text + "\n" + Q[lang] + q
    more = [(ask(rng, lang, a, b), c, a + c) for a, b, c, _ in rng.sample(facts, len(facts)) if (a, b) != (e, k)]
    return {"instruction": ins, "input": inp, "output": v, "key": e + v, "more": more[:3]}
