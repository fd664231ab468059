"""Plain questions with known short answers: it gives a question-to-answer path that tuning can build on. No medicine."""
from skill_pattern import ANT_EN, ANT_ZH, COLOUR_EN, COLOUR_ZH, ZH_EN
from skill_talk import PRE, POST

GO_ZH = "借书 图书馆 寄信 邮局 存钱 银行 看电影 电影院 买菜 菜市场 坐飞机 机场 坐火车 车站 买面包 面包店 看画 美术馆 跑步 操场 买花 花店 看大象 动物园 停车 停车场 喝咖啡 咖啡馆 看戏 剧院 做饭 厨房 睡觉 卧室 上课 教室 买书 书店 住一晚 酒店".split()
GO_EN = "borrow a book|library|post a letter|post office|save money|bank|see a film|cinema|buy vegetables|market|catch a plane|airport|take a train|station|buy bread|bakery|see paintings|gallery|see an elephant|zoo|park the car|garage|drink coffee|cafe|see a play|theatre|cook dinner|kitchen|attend a lesson|classroom|buy a book|bookshop|stay a night|hotel|swim|pool".split("|")
SAY_ZH = "中国的首都 北京 法国的首都 巴黎 英国的首都 伦敦 日本的首都 东京 德国的首都 柏林 意大利的首都 罗马 俄罗斯的首都 莫斯科 泰国的首都 曼谷 韩国的首都 首尔 埃及的首都 开罗 一周的天数 7天 一年的月数 12个月 一天的小时数 24小时 蜘蛛的腿数 8条 最大的海洋 太平洋 最高的山 珠穆朗玛峰 水的冰点 0度 最长的河 尼罗河 中国的国宝 熊猫 会酿蜜的昆虫 蜜蜂".split()
SAY_EN = "the capital of China|Beijing|the capital of France|Paris|the capital of England|London|the capital of Japan|Tokyo|the capital of Germany|Berlin|the capital of Italy|Rome|the capital of Russia|Moscow|the capital of Thailand|Bangkok|the capital of Korea|Seoul|the capital of Egypt|Cairo|the number of days in a week|7|the number of months in a year|12|the number of hours in a day|24|the number of legs of a spider|8|the largest ocean|the Pacific|the highest mountain|Everest|the longest river|the Nile|the insect that makes honey|the bee|the king of animals|the lion|the colour of coal|black".split("|")


def _pairs(xs):
    return list(zip(xs[::2], xs[1::2]))


T = {
    "zh": [(_pairs(GO_ZH), ["想{}去哪里？", "{}应该去哪里？", "要{}该去什么地方？", "我想{}，去哪儿？", "哪里可以{}？"]),
           (_pairs(SAY_ZH), ["{}是什么？", "{}是多少？", "{}是哪个？", "说出{}。", "你知道{}吗？"]),
           (_pairs(COLOUR_ZH), ["{}是什么颜色？", "{}的颜色是什么？", "说出{}的颜色。"]),
           ([tuple(p) for p in ANT_ZH], ["“{}”的反义词是什么？", "{}的反义词。", "和“{}”相反的字是什么？"]),
           (ZH_EN, ["“{}”用英文怎么说？", "把“{}”译成英文。", "{}的英文是什么？"])],
    "en": [(_pairs(GO_EN), ["Where do I go to {}?", "Where can I {}?", "I want to {}. Where should I go?", "Which place is right to {}?"]),
           (_pairs(SAY_EN), ["What is {}?", "Name {}.", "Tell me {}.", "Do you know {}?"]),
           (_pairs(COLOUR_EN), ["What colour is {}?", "What is the colour of {}?", "Name the colour of {}."]),
           ([tuple(p.split()) for p in ANT_EN], ["What is the opposite of \"{}\"?", "Give the opposite of {}.", "Name the antonym of \"{}\"."]),
           ([(b, a) for a, b in ZH_EN], ["What is \"{}\" in Chinese?", "Translate \"{}\" into Chinese.", "How do you say {} in Chinese?"])],
}


def row(rng, lang):
    table, asks = rng.choice(T[lang])
    a, b = rng.choice(table)
    q = rng.choice(asks).format(a)
    if rng.random() < 0.3:
        q = rng.choice(PRE[lang]) + q
    return {"instruction": q, "input": "", "output": b, "key": q}
