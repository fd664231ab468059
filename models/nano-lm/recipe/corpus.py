"""The mixture: which skill, which language, which wrapper; and the split that keeps evaluation items out of training."""
import random
import zlib

import skill_cite
import skill_copy
import skill_drill
import skill_extract
import skill_facts
import skill_json
import skill_pattern
import skill_sentiment
import skill_sum
import skill_talk
from wrap import chat, messages_of, plain

SKILLS = {"copy": skill_copy, "extract": skill_extract, "cite": skill_cite, "json": skill_json, "sum": skill_sum, "sentiment": skill_sentiment, "pattern": skill_pattern, "talk": skill_talk, "facts": skill_facts, "drill": skill_drill}


def held_out(key):
    """One key in eight is never trained on: the asked pair, the two numbers, the review, the question's wording."""
    return zlib.crc32(key.encode()) % 8 == 0


def draw(rng, skill, lang, split="train", **how):
    while True:
        row = SKILLS[skill].row(rng, lang, **how)
        if held_out(row["key"]) == (split == "eval"):
            return row


def pieces(rng, row, skill, lang):
    """A row in one of its wrappers; a conversation now and then has a system text or an earlier turn."""
    if "raw" in row:
        return row["raw"]
    if "messages" not in row and rng.random() < 0.5:
        return plain(row, lang)
    turns = list(messages_of(row))
    for q, a, key in row.get("more", []):  # further questions about the same passage
        if not held_out(key) and rng.random() < 0.8:
            turns += [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
    if skill in ("talk", "facts", "sum") and rng.random() < 0.2:
        turns = messages_of(draw(rng, rng.choice(["talk", "facts", "sum"]), lang)) + turns
    if rng.random() < 0.15:
        turns = [{"role": "system", "content": rng.choice(skill_talk.SYSTEM[lang])}] + turns
    return chat({"messages": turns})


def stream(seed, mixture):
    """Endless (skill, lang, pieces); mixture is {"skill" or "skill.lang": weight}."""
    rng = random.Random(seed)
    names, weights = list(mixture), list(mixture.values())
    while True:
        name = rng.choices(names, weights)[0]
        skill, _, lang = name.partition(".")
        lang = lang or rng.choice(["zh", "en"])
        yield skill, lang, pieces(rng, draw(rng, skill, lang), skill, lang)
