"""Skill 1, the template itself: repeat, first, last, next, pairs looked up, over the whole lexicon.

Words are paired at random, so that a word's token is trained as input and as output without any fact being taught.
"""
import lexicon_en as en
import lexicon_zh as zh

REPEAT = {"zh": ["重复下面的话。", "把下面的内容原样写一遍。", "请复述。", "照抄输入。"], "en": ["Repeat the text.", "Copy the input exactly.", "Say this again.", "Write the same words."]}
FIRST = {"zh": ["写出第一个词。", "第一个词是什么？"], "en": ["Write the first word.", "What is the first word?"]}
LAST = {"zh": ["写出最后一个词。", "最后一个词是什么？"], "en": ["Write the last word.", "What is the last word?"]}
NEXT = {"zh": ["“{}”后面的词是什么？", "写出“{}”之后的那个词。"], "en": ["Which word comes after \"{}\"?", "Write the word that follows \"{}\"."]}
LOOK = {"zh": ["“{}”对应什么？", "{}配的是什么？", "查一查{}。", "{}的答案是什么？", "{}怎么办？", "{}是多少？", "{}应该选哪个？"],
        "en": ["What goes with \"{}\"?", "Look up {}.", "What is the answer for {}?", "What is paired with {}?", "What should I do about {}?", "Which one for {}?", "How about {}?"]}


def gb_text(rng, n):
    """Any character of GB 2312 level 1, so that the byte fallback is trained too."""
    out = ""
    while len(out) < n:
        try:
            out += bytes([rng.randint(0xB0, 0xD7), rng.randint(0xA1, 0xFE)]).decode("gb2312")
        except UnicodeDecodeError:
            pass
    return out


def odd_word(rng):
    return "".join(rng.choice(["ba", "ko", "ri", "ten", "lu", "mos", "vi", "dra", "pel", "qua", "sho", "zim", "nth", "er"]) for _ in range(rng.randint(2, 4)))


def word(rng, lang):
    r = rng.random()
    if lang == "zh":
        if r < 0.05:
            return gb_text(rng, rng.randint(1, 3))
        if r < 0.12:
            return "".join(rng.choices(zh.CHARS, k=rng.randint(2, 3)))
        return rng.choice(zh.MIXED if r < 0.7 else zh.ALL)
    if r < 0.06:
        return odd_word(rng)
    return rng.choice(en.MIXED if r < 0.7 else en.ALL)


def phrase(rng, lang, most=4):
    """A few words and now and then a number, in the shape of a short answer."""
    parts = [word(rng, lang) for _ in range(rng.randint(1, most))]
    if rng.random() < 0.25:
        parts.insert(rng.randint(0, len(parts)), rng.choice([str(rng.randint(0, 150)), f"{rng.randint(1, 99)}.{rng.randint(0, 9)}", f"{rng.randint(1, 199)}/{rng.randint(1, 99)}", f"{rng.randint(0, 100)}%"]))
    if lang == "zh":
        return "".join(parts) if rng.random() < 0.8 else "，".join(parts)
    text = " ".join(parts)
    return text[0].upper() + text[1:] if rng.random() < 0.15 else text


def row(rng, lang):
    kind = rng.choice(["repeat", "repeat", "first", "last", "next", "look", "look", "look", "look"])
    if kind == "repeat":
        text = phrase(rng, lang, 7)
        if rng.random() < 0.2:
            return {"instruction": {"zh": "请重复：", "en": "Please repeat: "}[lang] + text, "input": "", "output": text, "key": text}
        return {"instruction": rng.choice(REPEAT[lang]), "input": text, "output": text, "key": text}
    if kind == "look":
        keys = []
        while len(keys) < rng.randint(2, 4):
            w = word(rng, lang)
            if w not in keys:
                keys.append(w)
        values = [phrase(rng, lang, rng.choice([1, 1, 2, 3])) for _ in keys]
        link, stop = rng.choice([("：", "\n"), ("是", "。"), ("，", "；"), (" -> ", "\n")] if lang == "zh" else [(": ", "\n"), (" is ", ". "), (" = ", "; "), (" -> ", "\n")])
        text = stop.join(k + link + v for k, v in zip(keys, values))
        if rng.random() < 0.5:
            text += "。" if stop == "。" else "." if stop == ". " else ""
        i = rng.randrange(len(keys))
        return {"instruction": rng.choice(LOOK[lang]).format(keys[i]), "input": text, "output": values[i], "key": keys[i] + values[i],
                "more": [(rng.choice(LOOK[lang]).format(keys[j]), values[j], keys[j] + values[j]) for j in rng.sample(range(len(keys)), len(keys)) if j != i][:3]}
    words = []
    while len(words) < rng.randint(3, 6):
        w = word(rng, lang)
        if w not in words:
            words.append(w)
    text = {"zh": rng.choice(["、", "，", " "]), "en": rng.choice([", ", " "])}[lang].join(words)
    if kind == "next":
        i = rng.randrange(len(words) - 1)
        return {"instruction": rng.choice(NEXT[lang]).format(words[i]), "input": text, "output": words[i + 1], "key": words[i] + words[i + 1]}
    pool, answer = (FIRST, words[0]) if kind == "first" else (LAST, words[-1])
    return {"instruction": rng.choice(pool[lang]), "input": text, "output": answer, "key": text}
