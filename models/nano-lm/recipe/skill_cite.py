"""Skill 2b: the answer with the number of its source, or the statement that the sources do not have it."""
from facts_in_text import ask, entity, passage, R

ASK = {"zh": ["根据资料回答，并标出来源。", "只根据下面的资料回答问题，注明来源编号。"], "en": ["Answer from the sources and cite them.", "Use only the sources below. Cite the source."]}
Q = {"zh": "问题：", "en": "Question: "}
NONE = {"zh": "资料里没有", "en": "Not in the passage"}


def row(rng, lang):
    facts = passage(rng, lang, rng.choice([1, 2, 2, 3, 3]))
    e, k, v, _ = rng.choice(facts)
    if rng.random() < 0.25:
        v, taken, values = None, {(f[0], f[1]) for f in facts}, e
        if rng.random() < 0.7:
            while (e, k) in taken:
                e = entity(rng, lang, R[lang][k][0])
        else:
            while (e, k) in taken or R[lang][k][0] != R[lang][facts[0][1]][0]:
                e, k = facts[0][0], rng.choice([x for x in R[lang] if R[lang][x][0] == R[lang][facts[0][1]][0]])
    q = ask(rng, lang, e, k)
    answer = NONE[lang] if v is None else f"{v} [{1 + [f[:3] for f in facts].index((e, k, v))}]"
    more = [(ask(rng, lang, f[0], f[1]), f"{f[2]} [{i + 1}]", f[0] + f[2]) for i, f in enumerate(facts) if f[:3] != (e, k, v)]
    rng.shuffle(more)
    text = "\n".join(f"[{i + 1}] {f[3]}" for i, f in enumerate(facts))
    if rng.random() < 0.3:
        return {"instruction": q, "input": text, "output": answer, "key": e + str(v), "more": more[:3]}
    return {"instruction": rng.choice(ASK[lang]), "input": text + "\n" + Q[lang] + q, "output": answer, "key": e + str(v), "more": more[:3]}
