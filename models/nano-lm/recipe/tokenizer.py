"""Byte-level BPE over the generated text. Chinese characters and digits stand alone, so that a copied word is always the same tokens."""
import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import lexicon_en as en
import lexicon_zh as zh
from corpus import stream
from wrap import END, START, STOP

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def text_lines(seed, mixture, rows):
    for _, (_, _, parts) in zip(range(rows), stream(seed, mixture)):
        yield "".join(t for t, _ in parts).replace(START, "\n").replace(END, "\n")
    for _ in range(200):  # every character, and every word in both its forms, after a space and without
        yield from zh.CHARS
        yield from zh.CHARS
        for w in en.ALL:
            yield w
            yield " " + w


def build(folder: Path, seed: int, mixture, rows=60000, vocab=4096):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex("[一-鿿]"), "isolated"),
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])
    t.decoder = decoders.ByteLevel()
    special = [AddedToken(s, special=True, normalized=False) for s in (STOP, START, END)]
    t.train_from_iterator(text_lines(seed, mixture, rows), trainers.BpeTrainer(vocab_size=vocab, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    folder.mkdir(parents=True, exist_ok=True)
    t.save(str(folder / "tokenizer.json"))
    entry = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "added_tokens_decoder": {str(i): {"content": s, **entry} for i, s in enumerate((STOP, START, END))},
        "add_prefix_space": False, "bos_token": None, "eos_token": END, "pad_token": STOP, "unk_token": None,
        "additional_special_tokens": [START, END], "clean_up_tokenization_spaces": False, "model_max_length": 1024,
        "tokenizer_class": "PreTrainedTokenizerFast", "chat_template": TEMPLATE,
    }, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return t
