"""Skill 4: the sentiment of a short review, as JSON or as one word."""
import json

import lexicon_en as en
import lexicon_zh as zh

LABELS = ["positive", "negative", "neutral"]
WORD = {"zh": dict(zip(LABELS, ["正面", "负面", "中性"])), "en": dict(zip(LABELS, LABELS))}
JSON = {"zh": ["判断情感，用JSON回答。", "下面评论的情感是什么？只输出JSON。", "分析这条评论的情感，输出JSON，字段是sentiment。"], "en": ["Classify the sentiment. Answer in JSON.", "What is the sentiment of this review? Output JSON only.", "Give the sentiment as JSON with the field sentiment."]}
PLAIN = {"zh": ["判断情感：正面、负面或中性。", "这条评论是正面、负面还是中性？"], "en": ["Classify the sentiment: positive, negative or neutral.", "Is this review positive, negative or neutral?"]}
NEUTRAL = {"zh": ["是昨天买的", "放在桌子上", "是蓝色的", "有三个版本", "在二楼", "是星期一到的", "用了两年", "是别人送的", "一共三百页", "从九点开始"], "en": ["was bought yesterday", "is on the table", "is blue", "has three versions", "is on the second floor", "arrived on Monday", "is two years old", "was a gift", "has three parts", "starts at nine"]}
TAIL = {"positive": {"zh": ["我会再来", "推荐给大家", "谢谢", "太开心了"], "en": ["I will come back", "I recommend it", "thank you", "I love it"]}, "negative": {"zh": ["我不会再来", "不推荐", "要退款", "太生气了"], "en": ["I will not come back", "I do not recommend it", "I want a refund", "I hate it"]}, "neutral": {"zh": ["没有别的要说", "就这些"], "en": ["that is all", "nothing more to say"]}}


def review(rng, lang, label):
    zh_ = lang == "zh"
    lex = zh if zh_ else en
    pool = {"positive": lex.GOOD, "negative": lex.BAD, "neutral": NEUTRAL[lang]}[label]
    subject, a = rng.choice(lex.REVIEWED), rng.choice(pool)
    verb = "" if zh_ or label == "neutral" else rng.choice([" was ", " is "])
    if not zh_ and label == "neutral":
        verb = " "
    text = subject + verb + a
    if rng.random() < 0.3 and label != "neutral":
        text += ("，" if zh_ else " and ") + rng.choice(pool)
    if rng.random() < 0.4:
        text += ("，" if zh_ else ", ") + rng.choice(TAIL[label][lang])
    return (text if zh_ else text[0].upper() + text[1:]) + ("。" if zh_ else "."), subject + a


def row(rng, lang):
    label = rng.choice(["positive", "negative", "positive", "negative", "neutral"])
    text, key = review(rng, lang, label)
    if rng.random() < 0.6:
        return {"instruction": rng.choice(JSON[lang]), "input": text, "output": json.dumps({"sentiment": label}), "key": key}
    return {"instruction": rng.choice(PLAIN[lang]), "input": text, "output": WORD[lang][label], "key": key}
