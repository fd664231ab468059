"""Every field of PEFT's LoraConfig with what it is at rest, so that a field that PEFT adds is noticed here."""

import dataclasses

from peft import LoraConfig

from shared import GOLDENS, write_json


def make_lora_fields() -> None:
    written = LoraConfig().to_dict()
    written["peft_type"] = written["peft_type"].value
    # What PEFT never writes is null here.
    fields = {field.name: written.get(field.name) for field in dataclasses.fields(LoraConfig)}
    write_json(GOLDENS / "lora-fields.json", fields)


if __name__ == "__main__":
    make_lora_fields()
