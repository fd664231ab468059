"""Writes the bundled question-and-answer samples: python models/samples/make.py

Each fact has one short answer and six hand-written ways to ask it: the first four are trained on, the last two held out.
"""
import json
import random
from pathlib import Path

import customer_service
import medical_en
import medical_zh

HERE, TRAIN = Path(__file__).resolve().parent, 4


def rows(facts, asked):
    return [{"instruction": q, "input": "", "output": answer} for answer, questions in facts for q in questions[asked]]


def write(name, items):
    text = ",\n".join(json.dumps(r, ensure_ascii=False) for r in items)
    (HERE / name).write_text(f"[\n{text}\n]\n", encoding="utf-8")


def main():
    for topic, lang, facts in (("medical", "zh", medical_zh.FACTS), ("medical", "en", medical_en.FACTS), ("customer-service", "zh", customer_service.ZH), ("customer-service", "en", customer_service.EN)):
        questions = [q for _, qs in facts for q in qs]
        assert len(set(questions)) == len(questions), "a question is asked twice"
        train = rows(facts, slice(0, TRAIN))
        random.Random(7).shuffle(train)
        write(f"{topic}.{lang}.json", train)
        write(f"{topic}.{lang}.eval.json", rows(facts, slice(TRAIN, None)))


if __name__ == "__main__":
    main()
