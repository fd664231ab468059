"""Skill 3: a short sum, alone or in a word problem; with steps when the prompt asks for them."""
import lexicon_en as en
import lexicon_zh as zh

STEPS = {"zh": ["让我们一步一步想。", "请一步一步地想。"], "en": ["Let's think step by step.", "Think step by step."]}


def work(a, op, b):
    """Tens, ones, together; a carry or a borrow is seen in the last line."""
    c = a + b if op == "+" else a - b
    if a < 10 or b < 10:
        return [f"{a} {op} {b} = {c}"], c
    if op == "+":
        t, o = a // 10 * 10 + b // 10 * 10, a % 10 + b % 10
        return [f"{a // 10 * 10} + {b // 10 * 10} = {t}", f"{a % 10} + {b % 10} = {o}", f"{t} + {o} = {c}"], c
    t = a - b // 10 * 10
    return [f"{a} - {b // 10 * 10} = {t}", f"{t} - {b % 10} = {c}"], c


def numbers(rng, steps):
    n = 3 if rng.random() < 0.3 else 2
    big = (9 if n == 3 else 30) if not steps else 30 if n == 3 else 99
    if rng.random() < 0.3:
        big = min(big, 20)
    nums, ops = [rng.randint(0 if n == 2 else 1, big)], []
    total = nums[0]
    for _ in range(n - 1):
        op = rng.choice("++-")
        x = rng.randint(0 if n == 2 else 1, big)
        if op == "-" and x > total:
            if n == 3 or rng.random() < 0.2:
                op = "+"
            else:
                nums[0], x = x, nums[0]
        if op == "+" and total + x > 150:
            x %= 10
        total = nums[0] + x if op == "+" and len(nums) == 1 else nums[0] - x if len(nums) == 1 else total + x if op == "+" else total - x
        nums.append(x)
        ops.append(op)
    return nums, ops, total


def story(rng, lang, nums, ops):
    if lang == "zh":
        who, what = "小" + rng.choice(zh.GIVEN), rng.choice(zh.FOODS[:16] + zh.OBJECTS[:12])
        text = f"{who}有{nums[0]}个{what}，" + "，".join(f"又买了{x}个" if o == "+" else f"送走{x}个" for o, x in zip(ops, nums[1:]))
        return text + rng.choice(["，现在有几个？", "，一共有多少个？"] if "-" not in ops else ["，现在有几个？", "，还剩几个？"])
    who, what = rng.choice(en.NAMES), rng.choice(en.FOODS[:11] + en.OBJECTS[:12]) + "s"
    text = f"{who} has {nums[0]} {what}" + "".join(f", buys {x} more" if o == "+" else f", gives away {x}" for o, x in zip(ops, nums[1:]))
    return text + rng.choice([". How many now?", ". How many are there now?"])


def row(rng, lang, steps=None):
    steps = rng.random() < 0.35 if steps is None else steps
    nums, ops, total = numbers(rng, steps)
    sign = "".join(f" {o} {x}" for o, x in zip(ops, nums[1:]))
    if rng.random() < 0.35:
        q = story(rng, lang, nums, ops)
    elif lang == "zh":
        say = "".join(f"{'加' if o == '+' else '减'}{x}" for o, x in zip(ops, nums[1:]))
        q = rng.choice([f"{nums[0]}{sign} = ?", f"{nums[0]}{sign} 等于多少？", f"{nums[0]}{say}等于几？", f"计算：{nums[0]}{sign}"])
    else:
        say = "".join(f" {'plus' if o == '+' else 'minus'} {x}" for o, x in zip(ops, nums[1:]))
        q = rng.choice([f"{nums[0]}{sign} = ?", f"What is {nums[0]}{sign}?", f"What is {nums[0]}{say}?", f"Calculate: {nums[0]}{sign}"])
    out = str(total)
    if steps:
        lines, acc = [], nums[0]
        for o, x in zip(ops, nums[1:]):
            more, acc = work(acc, o, x)
            lines += more
        out = ("，".join(lines) + f"。答案是{total}") if lang == "zh" else (", ".join(lines) + f". The answer is {total}")
        q += ("" if lang == "zh" else " ") + rng.choice(STEPS[lang])
    key = f"{nums[0]}{sign}"
    if rng.random() < 0.2:
        return {"instruction": {"zh": "算一算。", "en": "Solve this."}[lang], "input": q, "output": out, "key": key}
    return {"instruction": q, "input": "", "output": out, "key": key}
