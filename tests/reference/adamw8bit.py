"""AdamW with 8-bit block-wise states as bitsandbytes has it (csrc/kernels.cu, kOptimizerStatic8bit2StateBlockwise),
written by hand. Every operation is one of the parameter's type, which is float32 but for a replay in float64; the
weight decay comes after the step, unlike torch's.
bitsandbytes_check.py holds it against the library's own optimiser.
"""

import numpy
from safetensors.numpy import save_file

from dynamic_map import dynamic_map, nearest
from shared import GOLDENS, write_json

BLOCK = 256
F32 = numpy.float32
OPTIONS = {
    "learning_rate": 1e-3,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-8,
    "weight_decay": 0.1,
    "min_8bit_size": 4096,
}


class Moment:
    """One of Adam's moments: a code a value and the largest magnitude of every 256."""

    def __init__(self, size: int, signed: bool, real=F32):
        self.map, self.signed = dynamic_map(signed), signed
        # bitsandbytes starts with code 0 everywhere; an absmax of 0 makes it a zero all the same.
        self.codes = numpy.full(size, nearest(numpy.zeros(1, F32), self.map)[0])
        self.absmax = numpy.zeros(-(-size // BLOCK), real)

    def values(self) -> numpy.ndarray:
        return self.map[self.codes] * self.absmax.repeat(BLOCK)[: self.codes.size]

    def store(self, values: numpy.ndarray) -> None:
        rows = numpy.pad(values, (0, -values.size % BLOCK)).reshape(-1, BLOCK)
        self.absmax = numpy.abs(rows).max(axis=1)
        # A quotient, unlike NF4's product with the reciprocal. A block of zeros keeps the code of zero.
        scaled = numpy.divide(rows, self.absmax[:, None], out=numpy.zeros_like(rows), where=self.absmax[:, None] > 0)
        codes = nearest(scaled.ravel()[: values.size], self.map)
        if self.signed:
            # A negative value never rounds to zero; a positive one may.
            codes -= (values < 0) & (self.map[codes] == 0)
        self.codes = codes


def update(parameter, gradient, first: Moment, second: Moment, step: int, options: dict) -> numpy.ndarray:
    real = parameter.dtype.type
    beta1, beta2, epsilon, rate, decay = (
        real(options[key]) for key in ("adam_beta1", "adam_beta2", "adam_epsilon", "learning_rate", "weight_decay")
    )
    correction1 = real(1 - float(options["adam_beta1"]) ** step)
    correction2 = real((1 - float(options["adam_beta2"]) ** step) ** 0.5)
    step_size = -rate * correction2 / correction1
    v = second.values() * beta2 + (real(1) - beta2) * gradient * gradient
    m = first.values() * beta1 + (real(1) - beta1) * gradient
    moved = parameter + step_size * (m / (numpy.sqrt(v) + correction2 * epsilon))
    if decay > 0:
        moved = moved * (real(1) - rate * decay)
    first.store(m)
    second.store(v)
    return moved


def make_adamw8bit() -> None:
    generator = numpy.random.default_rng(5000)
    size, steps = 5000, 5
    parameter = generator.standard_normal(size).astype(F32)
    scale = 10.0 ** generator.uniform(-2, 0, size)
    scale[768:1024] = 10.0 ** generator.uniform(-5, 0, 256)  # more than v's map spans: small ones are stored as zero
    tensors = {"initial": parameter}
    first, second = Moment(size, signed=True), Moment(size, signed=False)
    for step in range(1, steps + 1):
        gradient = (scale * generator.standard_normal(size)).astype(numpy.float16)
        gradient[512:768] = 0  # a whole block that never moves, but for its decay
        parameter = update(parameter, gradient.astype(F32), first, second, step, OPTIONS)
        assert parameter.dtype == F32 and first.absmax.dtype == F32
        tensors |= {
            f"{step}.gradient": gradient,
            f"{step}.parameter": parameter,
            f"{step}.m_codes": first.codes,
            f"{step}.v_codes": second.codes,
            f"{step}.m_absmax": first.absmax,
            f"{step}.v_absmax": second.absmax,
        }
    folder = GOLDENS / "arguments" / "adamw-8bit"
    write_json(folder / "config.json", OPTIONS)
    save_file(tensors, folder / "steps.safetensors")
    print("adamw-8bit: five steps", flush=True)
