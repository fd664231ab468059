"""Goldens of which tokens bear loss, and of what max_length leaves: TRL's SFTTrainer prepares a few rows and its collator
makes the batch of one row that the model gets. Nothing is trained.
"""

import json
import tempfile
from pathlib import Path

import torch
from datasets import Dataset, disable_progress_bars
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from trl import SFTConfig, SFTTrainer
from trl import chat_template_utils

from shared import GOLDENS, HERE

FIXTURES = HERE.parent / "text" / "fixtures"
WHOLE = 512

disable_progress_bars()

# ChatML with the answer and what closes it marked, not the line break behind.
MARKED = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
# Mistral's kind: nothing behind eos, and bos written by the template.
BRACKET = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}{% endif %}{% endfor %}"
)

COMPLETIONS = [
    {"prompt": "### Instruction:\nTranslate\n\n### Response:\n", "completion": "hello"},
    {"prompt": "翻译:", "completion": "你好,世界!今天天气怎么样?"},
    {"prompt": "1 + 1 =", "completion": " 2, since two is the model of questions"},
    {"prompt": "Closed already: ", "completion": "yes<|im_end|>"},
    # Longer on its own than the length that cuts: nothing of the answer is left.
    {"prompt": "床前明月光,疑是地上霜。举头望明月,低头思故乡。 1234567890\n", "completion": "静夜思"},
]
# A token reaches over the border.
ACROSS = [{"prompt": "Translate th", "completion": "e quick"}]
TEXTS = [{"text": "春眠不觉晓"}, {"text": "The quick brown fox jumps over the lazy dog. 1234567890 床前明月光"}]


def chat(*turns: tuple[str, str]) -> list[dict]:
    return [{"role": role, "content": content} for role, content in turns]


CHATS = [
    {"messages": chat(("user", "你好"), ("assistant", "Hello"))},
    {"messages": chat(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "Hello 😀 world, how are you?"))},
    {"messages": chat(("user", "How are you today, and what questions?"), ("assistant", "床前明月光"))},
    # No answer is left of it.
    {"messages": chat(("user", "举头望明月,低头思故乡。" * 3), ("assistant", "静夜思"))},
]
OPEN_END = [{"messages": chat(("user", "a"), ("assistant", "b"), ("user", "and?"))}]
SYSTEM = [{"messages": chat(("system", "Be brief."), *[(turn["role"], turn["content"]) for turn in CHATS[1]["messages"]])}]
# An answer within the prompt is asked, not learned.
ASKED = [
    {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]} for row in CHATS + SYSTEM
]

# name: (tokenizer, chat template, rows, options, a length that cuts)
CASES = {
    "completion": ("byte-level", None, COMPLETIONS, {}, 28),
    "completion-bos": ("metaspace", None, COMPLETIONS[:3], {}, 24),
    "completion-across": ("byte-level", None, ACROSS, {}, 7),
    "text": ("byte-level", None, TEXTS, {}, 24),
    "assistant-marked": ("byte-level", MARKED, CHATS + SYSTEM, {"assistant_only_loss": True}, 46),
    "assistant-bracket": ("metaspace", BRACKET, CHATS, {"assistant_only_loss": True}, 34),
    "assistant-open-end": ("byte-level", MARKED, OPEN_END, {"assistant_only_loss": True}, 14),
    # TRL exchanges this one for a template of its own, in which the line breaks around the answer are marked.
    "assistant-qwen2.5": ("byte-level", chat_template_utils.qwen2_5_chat_template, CHATS, {"assistant_only_loss": True}, 98),
    "conversational-completion": ("byte-level", MARKED, ASKED, {}, 38),
}


def prepare(tokenizer, rows: list[dict], max_length: int, options: dict) -> list[dict | None]:
    """What the model gets of each row; None for a row that the trainer leaves out."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    with tempfile.TemporaryDirectory() as folder:
        args = SFTConfig(
            output_dir=folder, max_length=max_length, report_to="none", use_cpu=True, bf16=False, **options
        )
        dataset = Dataset.from_list([{**row, "row": index} for index, row in enumerate(rows)])
        trainer = SFTTrainer(LlamaForCausalLM(config), args, train_dataset=dataset, processing_class=tokenizer)
        found: list[dict | None] = [None] * len(rows)
        for example in trainer.train_dataset:
            batch = trainer.data_collator([{key: example[key] for key in ("input_ids", "labels")}])
            found[example["row"]] = {key: batch[key][0].tolist() for key in ("input_ids", "labels")}
        return found


def make_labels() -> None:
    lines = []
    for name, (folder, template, rows, options, short) in CASES.items():
        for max_length in (WHOLE, short):
            tokenizer = AutoTokenizer.from_pretrained(FIXTURES / folder)
            tokenizer.chat_template = template
            found = prepare(tokenizer, rows, max_length, options)
            case = {"name": name, "tokenizer": folder, "chat_template": template, "max_length": max_length}
            written = ",\n".join(
                json.dumps(row | {"expected": expected}, ensure_ascii=False)
                for row, expected in zip(rows, found, strict=True)
            )
            lines.append(json.dumps(case, ensure_ascii=False)[:-1] + ', "rows": [\n' + written + "\n]}")
            print(f"labels {name} {max_length}: {sum(row is not None for row in found)} of {len(rows)}", flush=True)
    Path(GOLDENS / "labels.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    make_labels()
