"""NF4 with double quantisation as bitsandbytes has it (csrc/kernels.cu, dQuantizeNF4; functional.py, quantize_4bit),
written by hand, so that the goldens need no bitsandbytes; bitsandbytes_check.py holds it against the library. Every
operation is one float32 operation.
"""

import numpy
from onnxruntime.capi._pybind_state import quantize_matmul_bnb4
from safetensors.numpy import save_file

from dynamic_map import dynamic_map, nearest
from shared import GOLDENS

# fmt: off
NF4 = numpy.array([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
], numpy.float32)
# The float32 midpoints of the codes, which the library's PyTorch kernels compute. dQuantizeNF4 has them as decimals;
# four of those (0, 8, 12, 14) lie so close to halfway between two float32 that a compiler which rounds them once, not
# by way of float64, takes the other one.
THRESHOLDS = numpy.array([
    -0.8480964004993439, -0.6106329262256622, -0.4599952697753906, -0.33967943489551544, -0.23460740596055984,
    -0.13791173323988914, -0.045525018125772476, 0.03979014977812767, 0.1202552504837513, 0.2035212516784668,
    0.2920137718319893, 0.3893125355243683, 0.5016634166240692, 0.6427869200706482, 0.8614784181118011,
], numpy.float32)
# fmt: on
assert numpy.array_equal(THRESHOLDS, (NF4[:-1] + NF4[1:]) / numpy.float32(2))
BLOCK, STATISTICS_BLOCK = 64, 256


def blocks(values: numpy.ndarray, size: int) -> numpy.ndarray:
    """A flat array as rows of a block each, the last filled up with zeros."""
    return numpy.pad(values, (0, -values.size % size)).reshape(-1, size)


def normalise(rows: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Every block times 1 / its largest magnitude (a product with the rounded reciprocal, not a quotient); 1e-38 stands
    for a smaller one, so that a block of zeros stays zero. Returns that and the magnitudes."""
    absmax = numpy.abs(rows).max(axis=1)
    reciprocal = numpy.float32(1) / numpy.maximum(absmax, numpy.float32(1e-38))
    return rows * reciprocal[:, None], absmax


def quantise(weight: numpy.ndarray) -> dict[str, numpy.ndarray]:
    """weight (out, in) float32, flattened row by row: a block may span rows. `packed` ((n + 1) / 2) has the first of
    two values in the high nibble and code 7 (zero) after an odd end; `absmax` (blocks); `absmax_codes` (blocks) u8,
    `nested_absmax` (blocks / 256) and `offset` (1) are the doubly quantised absmax."""
    values = weight.astype(numpy.float32).ravel()
    scaled, absmax = normalise(blocks(values, BLOCK))
    codes = numpy.searchsorted(THRESHOLDS, scaled.ravel(), side="left").astype(numpy.uint8)
    codes = codes[: values.size + values.size % 2]
    offset = numpy.float32(absmax.astype(numpy.float64).mean())
    nested, nested_absmax = normalise(blocks(absmax - offset, STATISTICS_BLOCK))
    return {
        "packed": codes[::2] << 4 | codes[1::2],
        "absmax": absmax,
        "absmax_codes": nearest(nested.ravel()[: absmax.size], dynamic_map(signed=True)),
        "nested_absmax": nested_absmax,
        "offset": offset.reshape(1),
    }


def restore_absmax(state: dict[str, numpy.ndarray]) -> numpy.ndarray:
    codes = dynamic_map(signed=True)[state["absmax_codes"]]
    return (codes * state["nested_absmax"].repeat(STATISTICS_BLOCK)[: codes.size]) + state["offset"]


def dequantise(state: dict[str, numpy.ndarray], shape, absmax: numpy.ndarray) -> numpy.ndarray:
    size = int(numpy.prod(shape))
    codes = numpy.stack([state["packed"] >> 4, state["packed"] & 15], axis=1).ravel()[:size]
    return (NF4[codes] * absmax.repeat(BLOCK)[:size]).reshape(shape)


def check_with_onnxruntime(weight: numpy.ndarray, state: dict[str, numpy.ndarray], ties: int = 0) -> None:
    """onnxruntime's quantiser gives the same bytes and absmax, but where a value is one of the four thresholds that a
    compiler rounds to the neighbour: three of the midpoints fall to the upper code."""
    packed, absmax = numpy.zeros_like(state["packed"]), numpy.zeros_like(state["absmax"])
    quantize_matmul_bnb4(packed, numpy.ascontiguousarray(weight, numpy.float32), absmax, BLOCK, 1, *weight.shape)
    assert numpy.array_equal(absmax, state["absmax"])
    differing = (packed >> 4 != state["packed"] >> 4).sum() + ((packed ^ state["packed"]) & 15 > 0).sum()
    assert differing == ties, differing


def near_thresholds(absmax: numpy.float32) -> numpy.ndarray:
    """One value a threshold whose code shows that bitsandbytes multiplies by the reciprocal: dividing gives another."""
    out = []
    for threshold in THRESHOLDS:
        value = numpy.float32(threshold * absmax)
        candidates = [value]
        for direction in (-numpy.inf, numpy.inf):
            following = value
            for _ in range(8):
                following = numpy.nextafter(following, numpy.float32(direction))
                candidates.append(following)
        reciprocal = numpy.float32(1) / absmax
        telling = [each for each in candidates if (each * reciprocal > threshold) != (each / absmax > threshold)]
        out += telling[:1]
    return numpy.array(out, numpy.float32)


def edge_rows(generator: numpy.random.Generator) -> numpy.ndarray:
    """(6, 64): zeros; the largest magnitude negative; exact ties and exact codes at absmax 1, and at absmax -0.5;
    values that tell a product with the reciprocal from a quotient; two values among zeros."""
    rows = numpy.zeros((6, BLOCK), numpy.float32)
    rows[1] = generator.standard_normal(BLOCK)
    rows[1, 40] = -4
    exact = numpy.concatenate([[1], THRESHOLDS, NF4])
    rows[2, : exact.size] = exact
    rows[3, : exact.size] = exact * numpy.float32(-0.5)
    telling = near_thresholds(numpy.float32(0.3))
    assert telling.size >= 3
    rows[4, : telling.size + 1] = [0.3, *telling]
    rows[5, [7, 50]] = 1e-3, -2e-3
    return rows


def make_nf4() -> None:
    generator = numpy.random.default_rng(4000)
    edges = edge_rows(generator)
    matrices = {
        "even": (0.05 * generator.standard_normal((24, 80))).astype(numpy.float32),
        # 7 x 13: one block and a tail of 27, an odd number of values.
        "tail": generator.standard_normal((7, 13)).astype(numpy.float32),
        "edges": edges,
        # 260 blocks, so that the statistics have a second block; 16-bit weights.
        "large": (0.1 * generator.standard_normal((130, 128))).astype(numpy.float16),
    }
    tensors = {"codes": NF4, "thresholds": THRESHOLDS}
    for name, weight in matrices.items():
        state = quantise(weight)
        check_with_onnxruntime(weight, state, ties=3 if name == "edges" else 0)
        tensors[f"{name}.w"] = weight
        tensors |= {f"{name}.{key}": value for key, value in state.items()}
        if name != "large":
            tensors[f"{name}.dequantised_single"] = dequantise(state, weight.shape, state["absmax"])
            tensors[f"{name}.dequantised"] = dequantise(state, weight.shape, restore_absmax(state))
    save_file(tensors, GOLDENS / "nf4.safetensors")
    print(f"nf4: {', '.join(matrices)}", flush=True)
