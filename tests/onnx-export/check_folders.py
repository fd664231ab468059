"""check_folders.py DIR [DTYPE]

Holds the folders DIR/<case>-<dtype> that `INKSTONE_EXPORT_DIR=DIR npx vitest run tests/onnx-export` wrote against
the reference logits: ONNX checker, external data, plain onnxruntime on the CPU, prefill and token by token
(tests/reference/check_onnx.py). Exits 1 where a case is off. Needs tests/reference/requirements.txt.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy
from safetensors.numpy import load_file

REFERENCE = Path(__file__).parent.parent / "reference"
sys.path.insert(0, str(REFERENCE))
import check_onnx  # noqa: E402

# Largest allowed |difference| of logits: float32 sums in another order; half precision; 4-bit weights (no reference,
# only prefill against steps).
TOLERANCE = {"fp32": 2e-4, "fp16": 5e-2, "q4": None}


def check(folder: Path, case: str, dtype: str) -> bool:
    golden = load_file(REFERENCE / "goldens" / "models" / case / "forward.safetensors")
    lengths = golden["attention_mask"].sum(1)
    rows = [ids[:length].tolist() for ids, length in zip(golden["input_ids"], lengths)]
    with tempfile.TemporaryDirectory() as scratch:
        ids, out = Path(scratch) / "ids.json", Path(scratch) / "out.safetensors"
        ids.write_text(json.dumps(rows))
        link = folder / "onnx" / "model.onnx"
        if not link.exists():
            os.symlink(next(path.name for path in (folder / "onnx").glob("*.onnx")), link)
        good = check_onnx.main(str(folder), str(ids), str(out)) == 0
        result = load_file(out)
    for kind in ("logits", "step_logits"):
        worst = max(
            numpy.abs(result[f"{kind}.{row}"] - golden["logits"][row, : lengths[row]]).max() for row in range(len(rows))
        )
        allowed = TOLERANCE[dtype]
        good = good and (allowed is None or worst <= allowed)
        print(f"{case} {dtype} {kind}: {worst:.2e} from the reference")
    return good


def main(directory: str, only: str | None = None) -> int:
    bad = []
    for folder in sorted(Path(directory).iterdir()):
        case, dtype = folder.name.rsplit("-", 1)
        if only in (None, dtype) and not check(folder, case, dtype):
            bad.append(folder.name)
    print(f"failed: {', '.join(bad)}" if bad else "all folders hold")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
