"""Holds our transcriptions of bitsandbytes (dynamic_map.py, nf4.py, adamw8bit.py) against the library itself, and makes
goldens/bitsandbytes.safetensors with it, which the tests hold our TypeScript and WGSL against. requirements.txt says
where the library comes from; where it cannot be imported, the committed golden stays. On its own:
`python tests/reference/bitsandbytes_check.py`.

Its compiled library for the processor reads 8-bit codes from a table of 65536 steps, and not all of them are the
nearest. With it loaded, things are compared as far as they can agree, and no golden is written.
"""

import importlib.util

import numpy
import torch
from safetensors.numpy import save_file

import shared  # noqa: F401  (one thread, determinism)
from adamw8bit import BLOCK, OPTIONS, Moment, update
from dynamic_map import dynamic_map, nearest
from nf4 import NF4, STATISTICS_BLOCK, blocks, dequantise, edge_rows, normalise, quantise, restore_absmax
from shared import GOLDENS

F32 = numpy.float32
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def bits(values) -> numpy.ndarray:
    return numpy.ascontiguousarray(values, F32).view(numpy.int32)


def assert_same(found, expected, what: str) -> None:
    found, expected = numpy.asarray(found).ravel(), numpy.asarray(expected).ravel()
    if found.dtype == F32:
        found, expected = bits(found), bits(expected)
    assert numpy.array_equal(found, expected), f"{what}: {(found != expected).sum()} of {found.size} differ"


# Their PyTorch kernels say this of a short last block of zeros, or of still smaller values.
TINY = F32(1e-38)


def floored(absmax: numpy.ndarray) -> numpy.ndarray:
    return numpy.maximum(absmax, TINY)


def load():
    """The library's functions, its optimisers, and whether its compiled library is there."""
    torch._dynamo.config.disable = True  # it compiles some kernels; they compute the same without
    import bitsandbytes
    from bitsandbytes import cextension, functional

    compiled = not isinstance(cextension.lib, cextension.ErrorHandlerMockBNBNativeLibrary)
    print(f"bitsandbytes {bitsandbytes.__version__}, compiled library: {compiled}", flush=True)
    return functional, bitsandbytes.optim, compiled


def matrices() -> dict[str, numpy.ndarray]:
    generator = numpy.random.default_rng(7000)
    normal = lambda *shape: generator.standard_normal(shape).astype(F32)  # noqa: E731
    zeros = normal(8, 64)
    zeros[[0, 3]] = 0
    zeros[5, 1:] = 0
    scales = (10.0 ** generator.uniform(-37, 37, (24, 1))).astype(F32)
    return {
        # Blocks span rows; ends of 1, 27, 43 and 63 values; odd and even.
        **{str(shape): normal(*shape) for shape in [(24, 80), (7, 13), (5, 77), (1, 1), (1, 63), (3, 171)]},
        "zeros": zeros,
        "all_zero": numpy.zeros((2, 64), F32),
        "extreme": normal(24, 64) * scales,
        "below_normal": normal(3, 64) * F32(1e-39),
        "edges": edge_rows(generator),
        # 260 and 4096 blocks: a second and more blocks of statistics.
        "260_blocks": normal(130, 128) * F32(0.1),
        "4096_blocks": normal(512, 512) * F32(0.02),
    }


def run_nf4(functional, weight: torch.Tensor) -> dict[str, numpy.ndarray]:
    """What the library makes of a weight, under the names of nf4.py. 16 bits are widened."""
    packed, single = functional.quantize_4bit(weight, quant_type="nf4", blocksize=64)
    again, double = functional.quantize_4bit(weight, quant_type="nf4", blocksize=64, compress_statistics=True)
    assert torch.equal(packed, again)
    return {
        "packed": packed.numpy().ravel(),
        "absmax": single.absmax.numpy(),
        "absmax_codes": double.absmax.numpy(),
        "nested_absmax": double.state2.absmax.numpy(),
        "offset": double.offset.numpy().reshape(1),
        "dequantised_single": functional.dequantize_4bit(packed, single).float().numpy(),
        "dequantised": functional.dequantize_4bit(packed, double).float().numpy(),
    }


def check_nf4(functional, name: str, weight: torch.Tensor, compiled: bool) -> int:
    """Returns how many nested codes differ: with the compiled library a few may, by one."""
    theirs, ours = run_nf4(functional, weight), quantise(weight.float().numpy())
    assert_same(theirs["packed"], ours["packed"], f"{name} packed")
    assert_same(floored(theirs["absmax"]), floored(ours["absmax"]), f"{name} absmax")
    # Their mean is a float32 sum in an order of torch's own; the rest is told from their offset.
    assert abs(int(bits(theirs["offset"])[0]) - int(bits(ours["offset"])[0])) <= 1, f"{name} offset"
    nested, nested_absmax = normalise(blocks(theirs["absmax"] - theirs["offset"], STATISTICS_BLOCK))
    assert_same(floored(theirs["nested_absmax"]), floored(nested_absmax), f"{name} nested absmax")
    count = theirs["absmax"].size
    differing = nearest(nested.ravel()[:count], dynamic_map(signed=True)).astype(int) - theirs["absmax_codes"]
    if compiled:
        # Where all of a block is equal (or nearly), it stores code 0, beside a magnitude of 0.
        differing *= nested_absmax.repeat(STATISTICS_BLOCK)[:count] > TINY
    assert numpy.abs(differing).max() <= compiled, f"{name} nested codes"

    def rounded(values):
        return torch.from_numpy(values).to(weight.dtype).float().numpy()

    # Their AVX512 kernels take the magnitudes as if every row began a block, which is wrong where a row is no whole
    # blocks, and round what is below normal numbers to zero.
    if not compiled or (weight.shape[1] % 64 == 0 and name.split()[0] != "below_normal"):
        single = dequantise(theirs, weight.shape, theirs["absmax"])
        assert_same(theirs["dequantised_single"], rounded(single), f"{name} dequantised")
        double = dequantise(theirs, weight.shape, restore_absmax(theirs))
        assert_same(theirs["dequantised"], rounded(double), f"{name} dequantised twice")
    return int((differing != 0).sum())


def check_blockwise(functional, signed: bool, compiled: bool) -> dict[str, numpy.ndarray]:
    """The 8-bit quantisation in blocks of 256 on its own, a short block last."""
    generator = numpy.random.default_rng(7100 + signed)
    values = (generator.standard_normal(300) * 10.0 ** generator.uniform(-6, 0, 300)).astype(F32)
    values = values if signed else numpy.abs(values)
    code = torch.from_numpy(dynamic_map(signed))
    codes, state = functional.quantize_blockwise(torch.from_numpy(values), code=code, blocksize=BLOCK)
    back = functional.dequantize_blockwise(codes, state).numpy()
    scaled, absmax = normalise(blocks(values, BLOCK))
    assert_same(state.absmax.numpy(), absmax, "blockwise absmax")
    expected = nearest(scaled.ravel()[:300], dynamic_map(signed))
    if not compiled:
        assert_same(codes.numpy(), expected, "blockwise codes")
    assert_same(back, dynamic_map(signed)[codes.numpy()] * absmax.repeat(BLOCK)[:300], "blockwise dequantised")
    return {"values": values, "codes": codes.numpy(), "absmax": state.absmax.numpy(), "dequantised": back}


def check_adamw8bit(optim, compiled: bool, size=300, steps=4) -> dict[str, numpy.ndarray]:
    """AdamW8bit itself, each step of ours from the state that it left. On the processor it decays before the step,
    so there is no decay here; it computes 1 - beta in float64, so v's magnitudes differ by 2e-5; and a negative m may
    round to zero, which its CUDA kernel and ours do not allow."""
    generator = numpy.random.default_rng(7200)
    parameter = torch.nn.Parameter(torch.from_numpy(generator.standard_normal(size).astype(F32)))
    options = {**OPTIONS, "weight_decay": 0.0}
    betas = options["adam_beta1"], options["adam_beta2"]
    optimizer = optim.AdamW8bit([parameter], options["learning_rate"], betas, weight_decay=0.0, min_8bit_size=1)
    scale = 10.0 ** generator.uniform(-3, 0, size)
    tensors = {"initial": parameter.detach().numpy().copy()}
    first, second = Moment(size, signed=True), Moment(size, signed=False)
    for step in range(1, steps + 1):
        gradient = (scale * generator.standard_normal(size)).astype(numpy.float16)
        before = parameter.detach().numpy().copy()
        moved = update(before, gradient.astype(F32), first, second, step, options)
        parameter.grad = torch.from_numpy(gradient.astype(F32))
        optimizer.step()
        state = optimizer.state[parameter]
        theirs = {
            "parameter": parameter.detach().numpy().copy(),
            **{f"{m}_codes": state[f"state{i}"].numpy().copy() for i, m in ((1, "m"), (2, "v"))},
            **{f"{m}_absmax": state[f"absmax{i}"].numpy().copy() for i, m in ((1, "m"), (2, "v"))},
        }
        if not compiled:
            negative_zero = (first.codes == 126) & (theirs["m_codes"] == 127)
            off = numpy.abs(first.codes.astype(int) - theirs["m_codes"]) * ~negative_zero
            assert off.max() <= 1 and (off > 0).sum() <= 1, f"step {step}: {(off > 0).sum()} codes of m"
            off = numpy.abs(second.codes.astype(int) - theirs["v_codes"])
            assert off.max() <= 1 and (off > 0).sum() <= 1, f"step {step}: {(off > 0).sum()} codes of v"
        assert numpy.allclose(theirs["m_absmax"], first.absmax, rtol=1e-6, atol=0)
        assert numpy.allclose(theirs["v_absmax"], second.absmax, rtol=3e-5, atol=0)
        # A step is at most some learning rates.
        assert numpy.abs(theirs["parameter"] - moved).max() <= 2e-4 * options["learning_rate"] + 1.2e-7 * 4
        first.codes, second.codes = theirs["m_codes"], theirs["v_codes"]
        first.absmax, second.absmax = theirs["m_absmax"], theirs["v_absmax"]
        tensors |= {f"{step}.gradient": gradient, **{f"{step}.{key}": value for key, value in theirs.items()}}
    return tensors


def make_golden(functional, optim, compiled: bool) -> dict[str, numpy.ndarray]:
    tensors = {
        "codes": functional.get_4bit_type("nf4", device="cpu").numpy(),
        "signed": functional.create_dynamic_map(signed=True).numpy(),
        "unsigned": functional.create_dynamic_map(signed=False).numpy(),
    }
    assert_same(tensors["codes"], NF4, "NF4 codes")
    for name in ("signed", "unsigned"):
        assert_same(tensors[name], dynamic_map(name == "signed"), f"{name} map")
        values = check_blockwise(functional, name == "signed", compiled)
        tensors |= {f"{name}.{key}": value for key, value in values.items()}
    for name, shape in {"float32": (5, 77), "bfloat16": (6, 80), "float16": (7, 61)}.items():
        weight = 0.1 * numpy.random.default_rng(7300).standard_normal(shape)
        weight[0, :64] = 0
        weight[1] *= 1e-3
        weight = torch.from_numpy(weight).to(DTYPES[name])
        check_nf4(functional, f"golden {name}", weight, compiled)
        tensors[f"{name}.w"] = weight.float().numpy()
        tensors |= {f"{name}.{key}": value for key, value in run_nf4(functional, weight).items()}
    return tensors | {f"adamw.{key}": value for key, value in check_adamw8bit(optim, compiled).items()}


def make_bitsandbytes() -> None:
    if importlib.util.find_spec("bitsandbytes") is None:
        print("bitsandbytes cannot be imported: nothing was compared with it", flush=True)
        return
    functional, optim, compiled = load()
    tensors = make_golden(functional, optim, compiled)
    compared = differing = 0
    for name, values in matrices().items():
        for dtype_name, dtype in DTYPES.items():
            weight = torch.from_numpy(values).to(dtype)
            if torch.isfinite(weight.float()).all():
                differing += check_nf4(functional, f"{name} {dtype_name}", weight, compiled)
                compared += values.size
    print(f"bitsandbytes: {compared} weights agree, {differing} codes of magnitudes are a neighbour", flush=True)
    if not compiled:
        save_file(tensors, GOLDENS / "bitsandbytes.safetensors")


if __name__ == "__main__":
    make_bitsandbytes()
