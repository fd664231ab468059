"""compare.py A.safetensors B.safetensors [TOLERANCE]

Prints, for every tensor that both files hold, the largest absolute and the relative L2 difference (of A from B),
and names what only one holds. With TOLERANCE, exits 1 if a relative L2 difference is above it, or if a shape or
a name differs.
"""

import sys

from safetensors.torch import load_file


def main(first: str, second: str, tolerance: str = "inf") -> int:
    a, b = load_file(first), load_file(second)
    failures = 0
    for name in sorted(a.keys() | b.keys()):
        if name not in a or name not in b:
            verdict, bad = f"only in {first if name in a else second}", tolerance != "inf"
        elif a[name].shape != b[name].shape:
            verdict, bad = f"{tuple(a[name].shape)} is not {tuple(b[name].shape)}", True
        else:
            difference = a[name].double() - b[name].double()
            scale = b[name].double().norm().item()
            relative = difference.norm().item() / scale if scale else difference.norm().item()
            largest = difference.abs().max().item() if difference.numel() else 0.0
            verdict = f"{tuple(b[name].shape)}  max abs {largest:.3e}  relative L2 {relative:.3e}"
            bad = not relative <= float(tolerance)
        failures += bad
        print(f"{'! ' if bad else '  '}{name}  {verdict}")
    return int(failures > 0)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
