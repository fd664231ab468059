"""check_onnx.py DIR IDS.json OUT.safetensors [INPUTS.safetensors]

Checks DIR/onnx/model.onnx with the ONNX checker and its external data by hand, then runs it with plain
onnxruntime on the CPU, one row of IDS.json at a time (batch 1). Writes float32, for every row:
`logits.<row>` (T, V) from one prefill, and `step_logits.<row>` (T, V) from a prefill of the first half and
then one token at a time through past_key_values -> present. INPUTS.safetensors feeds graph inputs by name
(weights or LoRA factors that the graph takes as inputs). Exits 1 where the checks found something, after the run.
"""

import re
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime
from safetensors.numpy import load_file, save_file

from shared import read_rows

DTYPES = {"tensor(float)": numpy.float32, "tensor(float16)": numpy.float16, "tensor(int64)": numpy.int64,
          "tensor(int32)": numpy.int32}


def check_file(path: Path) -> list[str]:
    """What is wrong with the file, in words; prints what is in it."""
    problems = []
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as error:  # the checker has a dozen error classes
        problems.append(f"the ONNX checker says: {str(error).strip()}")
    model = onnx.load(path, load_external_data=False)
    spans, unaligned = {}, 0
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entry = {item.key: item.value for item in tensor.external_data}
        offset, length = int(entry.get("offset", 0)), int(entry["length"])
        size = (path.parent / entry["location"]).stat().st_size
        unaligned += offset % 4096 > 0
        if offset + length > size:
            problems.append(f"{tensor.name}: bytes {offset}..{offset + length} of {size} in {entry['location']}")
        spans.setdefault(entry["location"], []).append((offset, offset + length, tensor.name))
    for ranges in spans.values():
        ranges.sort()
        for (_, end, name), (start, _, following) in zip(ranges, ranges[1:]):
            if start < end:
                problems.append(f"{following} overlaps {name} in the external data")
    names = [node.name for node in model.graph.node]
    if len(set(names)) != len(names) or "" in names:
        problems.append("node names are missing or repeated")
    operators = sorted({f"{node.domain or 'ai.onnx'}.{node.op_type}" for node in model.graph.node})
    print(f"{path.name}: {path.stat().st_size} bytes, {len(names)} nodes: {', '.join(operators)}")
    print(f"{sum(map(len, spans.values()))} tensors in {sorted(spans)}, {unaligned} not aligned to 4096 bytes")
    return problems


class Decoder:
    """One row's run: feeds tokens, keeps the cache."""

    def __init__(self, session, fixed: dict):
        self.session, self.fixed = session, fixed
        self.inputs = {item.name: item for item in session.get_inputs()}
        self.outputs = [item.name for item in session.get_outputs()]
        self.length, self.cache = 0, {}
        for name, item in self.inputs.items():
            if name.startswith("past_key_values."):
                _, heads, _, size = item.shape
                self.cache[name] = numpy.zeros((1, heads, 0, size), DTYPES[item.type])
        known = {"input_ids", "attention_mask", "position_ids", *self.cache, *fixed}
        if unknown := sorted(self.inputs.keys() - known):
            sys.exit(f"graph inputs that nothing feeds: {unknown[:5]} (give them in INPUTS.safetensors)")

    def feed(self, tokens: list[int]) -> numpy.ndarray:
        """Tokens (T) -> logits (T, V) float32; the cache grows by T."""
        end = self.length + len(tokens)
        values = {
            "input_ids": [tokens],
            "attention_mask": [[1] * end],
            "position_ids": [list(range(self.length, end))],
        }
        feeds = {
            name: numpy.array(value, DTYPES[self.inputs[name].type])
            for name, value in values.items()
            if name in self.inputs
        }
        results = dict(zip(self.outputs, self.session.run(self.outputs, feeds | self.cache | self.fixed)))
        for name in self.cache:
            present = results[re.sub("^past_key_values", "present", name)]
            if present.shape[2] != end:
                sys.exit(f"{name}: {present.shape} came back after {end} tokens")
            self.cache[name] = present
        self.length = end
        logits = results["logits"][0].astype(numpy.float32)
        if not numpy.isfinite(logits).all():
            sys.exit(f"logits are not finite after {end} tokens")
        return logits


def main(folder: str, ids: str, out: str, inputs: str | None = None) -> int:
    path = Path(folder) / "onnx" / "model.onnx"
    problems = check_file(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    fixed = load_file(inputs) if inputs else {}
    tensors = {}
    for index, row in enumerate(read_rows(Path(ids))):
        whole = Decoder(session, fixed).feed(row)
        decoder, half = Decoder(session, fixed), max(1, len(row) // 2)
        steps = [decoder.feed(row[:half])] + [decoder.feed([token]) for token in row[half:]]
        tensors[f"logits.{index}"] = whole
        tensors[f"step_logits.{index}"] = numpy.concatenate(steps)
        if whole.shape == tensors[f"step_logits.{index}"].shape:
            difference = numpy.abs(whole - tensors[f"step_logits.{index}"]).max()
            print(f"row {index}: {len(row)} tokens, prefill and steps differ by {difference:.2e}")
    save_file(tensors, out)
    for problem in problems:
        print(f"! {problem}")
    return int(len(problems) > 0)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
