"""The two wrappers of a row, as the product writes them. A piece is (text, is_answer).

A row is {"instruction", "input", "output"} or {"messages"}; either may carry "key", which decides its split.
"""

PLAIN = {
    "zh": ("### 指令:\n{instruction}\n\n### 输入:\n{input}\n\n### 输出:\n", "### 指令:\n{instruction}\n\n### 输出:\n"),
    "en": ("### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n", "### Instruction:\n{instruction}\n\n### Response:\n"),
}
START, END, STOP = "<|im_start|>", "<|im_end|>", "<|endoftext|>"


def plain(row, lang):
    """The instruction template, then the answer and eos."""
    full, short = PLAIN[lang]
    prompt = full.format(**row) if row["input"] else short.format(**row)
    return [(prompt, False), (row["output"] + END, True)]


def messages_of(row):
    if "messages" in row:
        return row["messages"]
    content = row["instruction"] + ("\n" + row["input"] if row["input"] else "")
    return [{"role": "user", "content": content}, {"role": "assistant", "content": row["output"]}]


def chat(row):
    """ChatML; every assistant turn is an answer."""
    pieces = []
    for m in messages_of(row):
        head = f"{START}{m['role']}\n"
        if m["role"] == "assistant":
            pieces += [(head, False), (m["content"] + END, True), ("\n", False)]
        else:
            pieces.append((head + m["content"] + END + "\n", False))
    return pieces
