"""bitsandbytes' 8-bit dynamic code book (functional.py, create_dynamic_map) and its nearest code, in numpy. 4-bit
statistics (nf4.py) and 8-bit optimiser states (adamw8bit.py) are written in it.
"""

import numpy
from safetensors.numpy import save_file

from shared import GOLDENS


def linspace(parts: int) -> numpy.ndarray:
    """torch.linspace(0.1, 1, parts + 1) in float32, as every processor with a fused multiply-add computes it (x86 with
    AVX2 or AVX512, 64-bit Arm): from either end to the middle, one rounding an edge. Products and sums of these
    numbers are exact in float64."""
    start, end = numpy.float32(0.1), numpy.float32(1)
    step = numpy.float64((end - start) / numpy.float32(parts))
    at = numpy.arange(parts + 1)
    below, above = start + step * at, end - step * (parts - at)
    return numpy.where(at < (parts + 1) // 2, below, above).astype(numpy.float32)


def dynamic_map(signed: bool) -> numpy.ndarray:
    """256 ascending float32. For every power of ten from 1e-6 to 1, the midpoints of 0.1..1 cut into 1, 2, 4, ... 64
    parts (twice as many without a sign), and their negatives; then 0 and 1. Every operation is one of float32."""
    values = [0.0, 1.0]
    for exponent in range(7):
        edges = linspace(2 ** (exponent if signed else exponent + 1))
        parts = numpy.float32(10.0 ** (exponent - 6)) * ((edges[:-1] + edges[1:]) / numpy.float32(2))
        values += [*parts, *(-parts if signed else [])]
    return numpy.sort(numpy.array(values, numpy.float32))


def nearest(values: numpy.ndarray, codes: numpy.ndarray) -> numpy.ndarray:
    """The index of the nearest code, by float32 midpoints; exactly between two, the lower one."""
    midpoints = (codes[:-1] + codes[1:]) / numpy.float32(2)
    return numpy.searchsorted(midpoints, values, side="left").astype(numpy.uint8)


def make_dynamic_map() -> None:
    maps = {"signed": dynamic_map(True), "unsigned": dynamic_map(False)}
    assert all(code.size == 256 and (numpy.diff(code) > 0).all() for code in maps.values())
    save_file(maps, GOLDENS / "dynamic-map.safetensors")
