"""Small invented facts that passages are made of: (entity, relation, value) with its sentences and questions."""
import lexicon_en as en
import lexicon_zh as zh


def person(rng, lang):
    if lang == "en":
        return rng.choice(en.NAMES)
    return rng.choice(zh.SURNAMES) + "".join(rng.choices(zh.GIVEN, k=rng.choice([1, 1, 2]))) if rng.random() < 0.8 else "小" + rng.choice(zh.GIVEN)


def clock(rng, lang):
    h, m = rng.randint(1, 12), rng.choice([0, 0, 15, 30, 45])
    if lang == "zh":
        return rng.choice(zh.PARTS) + f"{h}点" + {0: "", 15: "一刻", 30: "半", 45: "三刻"}[m]
    return f"{h}:{m:02d}" if m else f"{h} " + rng.choice(["am", "pm"])


def price(rng, lang):
    n = rng.randint(2, 999)
    return f"{n}元" if lang == "zh" else f"{n} dollars"


def an(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


# relation: (kind of entity, value maker, sentences, questions)
R = {
    "zh": {
        "lives": ("person", lambda r: r.choice(zh.CITIES), ["{e}住在{v}。", "{e}的家在{v}。"], ["{e}住在哪里？", "{e}住在哪个城市？", "{e}的家在哪里？"]),
        "job": ("person", lambda r: r.choice(zh.JOBS), ["{e}是{v}。", "{e}的工作是{v}。"], ["{e}做什么工作？", "{e}的职业是什么？", "{e}是做什么的？"]),
        "food": ("person", lambda r: r.choice(zh.FOODS), ["{e}最爱吃{v}。", "{e}喜欢吃{v}。"], ["{e}喜欢吃什么？", "{e}爱吃什么？"]),
        "pet": ("person", lambda r: r.choice(zh.ANIMALS), ["{e}养了一只{v}。", "{e}的宠物是{v}。"], ["{e}养了什么？", "{e}的宠物是什么？"]),
        "hobby": ("person", lambda r: r.choice(zh.HOBBIES), ["{e}的爱好是{v}。", "{e}平时喜欢{v}。"], ["{e}的爱好是什么？", "{e}平时喜欢做什么？"]),
        "bought": ("person", lambda r: r.choice(zh.OBJECTS), ["{e}买了{v}。", "{e}昨天买了{v}。"], ["{e}买了什么？"]),
        "phone": ("person", lambda r: str(r.randint(100, 9999)), ["{e}的电话是{v}。", "{e}的分机号是{v}。"], ["{e}的电话是多少？", "{e}的电话号码是什么？"]),
        "age": ("person", lambda r: f"{r.randint(3, 95)}岁", ["{e}今年{v}。", "{e}{v}了。"], ["{e}今年多大？", "{e}几岁？"]),
        "day": ("event", lambda r: r.choice(zh.DAYS), ["{e}在{v}举行。", "{e}定在{v}。"], ["{e}在星期几？", "{e}是哪一天？"]),
        "time": ("event", lambda r: clock(r, "zh"), ["{e}{v}开始。", "{e}的开始时间是{v}。"], ["{e}几点开始？", "{e}什么时候开始？"]),
        "where": ("event", lambda r: r.choice(zh.PLACES), ["{e}在{v}举办。", "{e}的地点是{v}。"], ["{e}在哪里举办？", "{e}的地点在哪里？"]),
        "fee": ("event", lambda r: price(r, "zh"), ["{e}的门票是{v}。", "参加{e}要{v}。"], ["{e}的门票多少钱？", "参加{e}要多少钱？"]),
        "price": ("thing", lambda r: price(r, "zh"), ["{e}卖{v}。", "{e}的价格是{v}。"], ["{e}多少钱？", "{e}的价格是多少？"]),
        "colour": ("thing", lambda r: r.choice(zh.COLOURS), ["{e}是{v}的。", "{e}的颜色是{v}。"], ["{e}是什么颜色？", "{e}的颜色是什么？"]),
        "kept": ("thing", lambda r: r.choice(zh.PLACES), ["{e}放在{v}。", "{e}在{v}里。"], ["{e}放在哪里？", "{e}在哪里？"]),
        "owner": ("thing", lambda r: person(r, "zh"), ["{e}是{v}的。", "{e}属于{v}。"], ["{e}是谁的？", "{e}属于谁？"]),
    },
    "en": {
        "lives": ("person", lambda r: r.choice(en.CITIES), ["{e} lives in {v}.", "{e}'s home is in {v}."], ["Where does {e} live?", "In which city does {e} live?"]),
        "job": ("person", lambda r: an(r.choice(en.JOBS)), ["{e} is {v}.", "{e} works as {v}."], ["What is {e}'s job?", "What does {e} do for a living?"]),
        "food": ("person", lambda r: r.choice(en.FOODS), ["{e} likes to eat {v}.", "{e}'s favourite food is {v}."], ["What does {e} like to eat?", "What is {e}'s favourite food?"]),
        "pet": ("person", lambda r: an(r.choice(en.ANIMALS)), ["{e} has {v}.", "{e} keeps {v}."], ["What pet does {e} have?", "Which animal does {e} keep?"]),
        "hobby": ("person", lambda r: r.choice(en.HOBBIES), ["{e} enjoys {v}.", "{e}'s hobby is {v}."], ["What does {e} enjoy?", "What is {e}'s hobby?"]),
        "bought": ("person", lambda r: an(r.choice(en.OBJECTS)), ["{e} bought {v}.", "Yesterday {e} bought {v}."], ["What did {e} buy?"]),
        "phone": ("person", lambda r: str(r.randint(100, 9999)), ["{e}'s number is {v}.", "{e}'s phone number is {v}."], ["What is {e}'s number?", "What is {e}'s phone number?"]),
        "age": ("person", lambda r: str(r.randint(3, 95)), ["{e} is {v} years old.", "{e} turned {v}."], ["How old is {e}?"]),
        "day": ("event", lambda r: r.choice(en.DAYS), ["The {e} is on {v}.", "The {e} takes place on {v}."], ["On which day is the {e}?", "Which day is the {e}?"]),
        "time": ("event", lambda r: clock(r, "en"), ["The {e} starts at {v}.", "The {e} begins at {v}."], ["When does the {e} start?", "At what time does the {e} begin?"]),
        "where": ("event", lambda r: "the " + r.choice(en.PLACES), ["The {e} is in {v}.", "The {e} will be held at {v}."], ["Where is the {e}?", "Where will the {e} be held?"]),
        "fee": ("event", lambda r: price(r, "en"), ["A ticket for the {e} costs {v}.", "The {e} costs {v} a person."], ["How much is the {e}?", "What does the {e} cost?"]),
        "price": ("thing", lambda r: price(r, "en"), ["The {e} costs {v}.", "The price of the {e} is {v}."], ["How much is the {e}?", "What is the price of the {e}?"]),
        "colour": ("thing", lambda r: r.choice(en.COLOURS), ["The {e} is {v}.", "The colour of the {e} is {v}."], ["What colour is the {e}?", "Which colour is the {e}?"]),
        "kept": ("thing", lambda r: "the " + r.choice(en.PLACES), ["The {e} is kept in {v}.", "The {e} is in {v}."], ["Where is the {e}?", "Where is the {e} kept?"]),
        "owner": ("thing", lambda r: r.choice(en.NAMES), ["The {e} belongs to {v}.", "The owner of the {e} is {v}."], ["Who owns the {e}?", "Whose is the {e}?"]),
    },
}


def entity(rng, lang, kind):
    lex = zh if lang == "zh" else en
    return person(rng, lang) if kind == "person" else rng.choice(lex.EVENTS if kind == "event" else lex.OBJECTS)


def passage(rng, lang, n):
    """n facts that share either the entity or the relation, or neither, no question being ambiguous."""
    rel = R[lang]
    mode, facts, seen = rng.choice(["same relation", "same entity", "free"]), [], set()
    first = rng.choice(list(rel))
    ent = entity(rng, lang, rel[first][0])
    for _ in range(60):
        if len(facts) == n:
            break
        kinds = [k for k in rel if rel[k][0] == rel[first][0]]
        k = first if mode == "same relation" else rng.choice(kinds if mode == "same entity" else list(rel))
        e = ent if mode == "same entity" else entity(rng, lang, rel[k][0])
        if (e, k) in seen or (k in ("where", "kept", "fee", "price", "owner", "colour", "job") and any(e == x and k != y and {k, y} & {"where", "kept", "fee", "price", "owner", "colour"} and k in ("where", "kept", "fee", "price") for x, y in seen)):
            continue
        seen.add((e, k))
        v = rel[k][1](rng)
        if any(v == f[2] for f in facts):
            continue
        facts.append((e, k, v, rng.choice(rel[k][2]).format(e=e, v=v)))
    return facts


def ask(rng, lang, e, k):
    return rng.choice(R[lang][k][3]).format(e=e)
