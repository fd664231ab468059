"""Skill 5: two to four examples of one rule, and a last input to which the rule is applied."""
import lexicon_en as en
import lexicon_zh as zh

ANT_ZH = "大小 多少 高低 长短 新旧 快慢 冷热 好坏 真假 轻重 远近 深浅 宽窄 厚薄 软硬 干湿 亮暗 早晚 胖瘦 甜苦 香臭 美丑 强弱 满空 开关 来去 进出 上下 左右 前后 里外 买卖 借还 哭笑 生死 胜败 对错 男女".split()
ANT_EN = "big small|many few|high low|long short|new old|hot cold|good bad|true false|light heavy|far near|deep shallow|wide narrow|thick thin|soft hard|dry wet|bright dark|early late|sweet bitter|rich poor|strong weak|quiet loud|easy difficult|safe dangerous|happy sad|brave afraid|full empty|open closed|up down|left right|inside outside|buy sell|win lose|begin end|clean dirty|fast slow".split("|")
PAIRS = "猫 cat 狗 dog 兔子 rabbit 老虎 tiger 狮子 lion 大象 elephant 猴子 monkey 熊 bear 马 horse 牛 cow 鱼 fish 鸭 duck 狼 wolf 鹿 deer 苹果 apple 香蕉 banana 葡萄 grape 樱桃 cherry 柠檬 lemon 桃子 peach 面包 bread 米饭 rice 鸡蛋 egg 牛奶 milk 蛋糕 cake 茶 tea 咖啡 coffee 盐 salt 糖 sugar 水 water 火 fire 太阳 sun 月亮 moon 星星 star 山 mountain 河 river 海 sea 云 cloud 雨 rain 雪 snow 风 wind 石头 stone 木头 wood 纸 paper 书 book 椅子 chair 桌子 table 帽子 hat 手表 watch 钥匙 key 杯子 cup 剪刀 scissors 铅笔 pencil 地图 map 镜子 mirror 肥皂 soap 电话 phone 学校 school 公园 park 银行 bank 医院 hospital 图书馆 library 老师 teacher 司机 driver 厨师 cook 作家 writer 朋友 friend 红色 red 蓝色 blue 绿色 green 黑色 black 白色 white 春天 spring 夏天 summer 秋天 autumn 冬天 winter 今天 today 明天 tomorrow 星期一 Monday 星期五 Friday".split()
ZH_EN = list(zip(PAIRS[::2], PAIRS[1::2]))
COLOUR_ZH = "香蕉 黄色 草莓 红色 葡萄 紫色 柠檬 黄色 樱桃 红色 橙子 橙色 黄瓜 绿色 番茄 红色 茄子 紫色 玉米 黄色 雪 白色 天空 蓝色 草地 绿色 南瓜 橙色".split()
COLOUR_EN = "banana yellow strawberry red grape purple lemon yellow cherry red orange orange carrot orange tomato red corn yellow snow white sky blue grass green milk white cucumber green".split()
CLASS = {"zh": [("动物", zh.ANIMALS[:20]), ("水果", zh.FOODS[:13]), ("颜色", zh.COLOURS), ("城市", zh.CITIES[:20]), ("职业", zh.JOBS[:20])], "en": [("animal", en.ANIMALS[:20]), ("fruit", en.FOODS[:11]), ("colour", en.COLOURS), ("city", en.CITIES[:20]), ("job", en.JOBS[:20])]}
SHORT = [w for w in dict.fromkeys([b for _, b in ZH_EN] + en.ANIMALS[:24] + en.COLOURS) if w.islower()]
NOUNS = en.ANIMALS[:12] + en.OBJECTS[:24]
SENT = {"zh": [("正面", zh.GOOD[:10]), ("负面", zh.BAD[:10])], "en": [("positive", en.GOOD[:10]), ("negative", en.BAD[:10])]}

HEAD = {"zh": ["按例子的规律完成最后一个。", "照例子填写。", "看例子，写出最后的结果。"], "en": ["Follow the examples and complete the last one.", "Complete the pattern.", "Apply the same rule to the last item."]}


def classes(table):
    """Two classes, both shown before the last item is asked."""
    def make(r, n):
        two = r.sample(table, 2)
        order = [0, 1] + [r.randrange(2) for _ in range(n - 3)]
        r.shuffle(order)
        order.append(r.randrange(2))
        words = [r.sample(t[1], n) for t in two]
        return [(words[k][i], two[k][0]) for i, k in enumerate(order)]
    return make


def pairs(table):
    return lambda r, n: r.sample(table, n)


def steps(r, n):
    """One fixed step for the whole pattern, numbers below 100."""
    k = r.choice([1, 1, 2, 10])
    return [(str(x), str(x + k)) for x in r.sample(range(0, 100 - k), n)]


def affix(lang):
    def make(r, n):
        words = r.sample(zh.ALL if lang == "zh" else en.ALL, n)
        if lang == "zh":
            f = r.choice([lambda w: "小" + w, lambda w: w + "吗", lambda w: "“" + w + "”", lambda w: w, lambda w: "我的" + w])
        else:
            f = r.choice([lambda w: "my " + w, lambda w: "(" + w + ")", lambda w: w, lambda w: "no " + w])
        return [(w, f(w)) for w in words]
    return make


RULES = {
    "zh": {"antonym": pairs([tuple(p) for p in ANT_ZH] + [tuple(p[::-1]) for p in ANT_ZH]), "zh-en": pairs(ZH_EN), "en-zh": pairs([(b, a) for a, b in ZH_EN]), "colour": pairs(list(zip(COLOUR_ZH[::2], COLOUR_ZH[1::2]))), "class": classes(CLASS["zh"]), "number": steps, "affix": affix("zh"), "sentiment": classes(SENT["zh"]), "upper": pairs([(w, w.upper()) for w in SHORT])},
    "en": {"upper": pairs([(w, w.upper()) for w in SHORT]), "antonym": pairs([tuple(p.split()) for p in ANT_EN] + [tuple(p.split()[::-1]) for p in ANT_EN]), "colour": pairs(list(zip(COLOUR_EN[::2], COLOUR_EN[1::2]))), "class": classes(CLASS["en"]), "number": steps, "affix": affix("en"), "plural": pairs([(w, w + "s") for w in NOUNS if not w.endswith(("s", "x", "h", "sh"))]), "sentiment": classes(SENT["en"]), "zh-en": pairs(ZH_EN), "en-zh": pairs([(b, a) for a, b in ZH_EN])},
}


def row(rng, lang):
    rule = rng.choice(list(RULES[lang]))
    items = RULES[lang][rule](rng, rng.randint(3, 5))
    *shots, (q, a) = items
    key = rule + repr(items)
    r = rng.random()
    if r < 0.2:
        turns = []
        for x, y in shots:
            turns += [{"role": "user", "content": x}, {"role": "assistant", "content": y}]
        return {"messages": turns + [{"role": "user", "content": q}, {"role": "assistant", "content": a}], "key": key, "last_only": True}
    if r < 0.45:
        i, o = rng.choice([("输入: ", "输出: "), ("输入：", "输出：")]) if lang == "zh" else ("Input: ", "Output: ")
        text = "\n".join(f"{i}{x}\n{o}{y}" for x, y in shots) + f"\n{i}{q}\n{o.strip()}"
    else:
        s = rng.choice([" -> ", " => ", "：", " = "] if lang == "zh" else [" -> ", " => ", ": ", " = "])
        text = "\n".join(x + s + y for x, y in shots) + "\n" + q + s.rstrip()
    if rng.random() < 0.2:
        return {"instruction": text, "input": "", "output": a, "key": key}
    return {"instruction": rng.choice(HEAD[lang]), "input": text, "output": a, "key": key}
