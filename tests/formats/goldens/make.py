"""Writes the goldens of this folder with the reference packages: onnx, safetensors, torch.

python make.py   (onnx 1.23, safetensors 0.8, torch 2.13, numpy 2.4)
"""

import random
import struct
from pathlib import Path

import onnx
import safetensors.torch
import torch
from onnx import TensorProto, external_data_helper, helper

HERE = Path(__file__).parent


def tensor(name, data_type, dims, raw):
    return helper.make_tensor(name, data_type, dims, raw, raw=True)


def every_kind():
    """One node with each attribute kind, each element type as an initializer, symbolic dims."""
    node = helper.make_node(
        "EveryKind",
        ["x", "", "w"],
        ["y", "z"],
        name="/model/layers.0/every",
        domain="com.microsoft",
    )
    weight = tensor("t", TensorProto.FLOAT, [2], struct.pack("<2f", 1.5, -2.0))
    for attribute in (
        helper.make_attribute("alpha", 0.1),
        helper.make_attribute("zero_float", 0.0),
        helper.make_attribute("axis", -1),
        helper.make_attribute("zero", 0),
        helper.make_attribute("large", 2**62),
        helper.make_attribute("mode", "ink 砚"),
        helper.make_attribute("value", weight),
        helper.make_attribute("scales", [0.5, -1.0]),
        helper.make_attribute("pads", [0, 1, -2, 9223372036854775807]),
        helper.make_attribute("names", ["a", "", "乙"]),
    ):
        node.attribute.append(attribute)
    initializers = [
        tensor("w", TensorProto.FLOAT, [2, 2], struct.pack("<4f", 1, 2, 3, 4)),
        tensor("u8", TensorProto.UINT8, [3], bytes([0, 127, 255])),
        tensor("i32", TensorProto.INT32, [1], struct.pack("<i", -7)),
        tensor("i64", TensorProto.INT64, [2], struct.pack("<2q", -1, 2**40)),
        tensor("bool", TensorProto.BOOL, [2], bytes([1, 0])),
        tensor("f16", TensorProto.FLOAT16, [2], struct.pack("<2e", 1.0, -0.5)),
        tensor("bf16", TensorProto.BFLOAT16, [1], bytes([0x80, 0x3F])),
        tensor("u4", TensorProto.UINT4, [3], bytes([0x21, 0x0F])),
        tensor("i4", TensorProto.INT4, [2, 2], bytes([0x8F, 0x17])),
        tensor("scalar", TensorProto.FLOAT, [], struct.pack("<f", 3.0)),
        tensor("empty", TensorProto.FLOAT, [0, 4], b""),
    ]
    graph = helper.make_graph(
        [node],
        "every-kind",
        [
            helper.make_tensor_value_info("x", TensorProto.INT64, ["batch_size", "sequence", 64]),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT16, [None, 0]),
            helper.make_tensor_value_info("z", TensorProto.BOOL, None),
        ],
        initializers,
    )
    model = helper.make_model(
        graph,
        ir_version=10,
        producer_name="inkstone",
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)],
    )
    helper.set_model_props(model, {"key": "值"})
    return model


def runnable():
    """y = MatMul(x, w) + b with w external: the checker and any runtime accept it."""
    weight = tensor("w", TensorProto.FLOAT, [4, 3], struct.pack("<12f", *range(12)))
    external_data_helper.set_external_data(weight, "model.onnx_data", offset=4096, length=48)
    weight.ClearField("raw_data")
    bias = tensor("b", TensorProto.FLOAT, [3], struct.pack("<3f", 1, 2, 3))
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["xw"], name="/MatMul"),
            helper.make_node("Add", ["xw", "b"], ["y"], name="/Add"),
        ],
        "runnable",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [weight, bias],
    )
    return helper.make_model(
        graph, ir_version=10, producer_name="inkstone", opset_imports=[helper.make_opsetid("", 21)]
    )


def typed():
    """Tensors in the typed fields that other writers use instead of raw_data; a subgraph."""
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=helper.make_tensor("v", TensorProto.INT64, [2], [1, -2]))],
        "branch",
        [],
        [helper.make_tensor_value_info("c", TensorProto.INT64, [2])],
    )
    graph = helper.make_graph(
        [helper.make_node("If", ["cond"], ["c"], then_branch=branch, else_branch=branch)],
        "typed",
        [helper.make_tensor_value_info("cond", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("c", TensorProto.INT64, [2])],
        [
            helper.make_tensor("f", TensorProto.FLOAT, [2], [0.5, 1.5]),
            helper.make_tensor("h", TensorProto.FLOAT16, [2], [1.0, -0.5]),
            helper.make_tensor("i", TensorProto.INT32, [2], [5, -6]),
        ],
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])


def safetensors_file():
    tensors = {
        "b.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
        "a.ids": torch.arange(3, dtype=torch.int64),
        "z.bytes": torch.tensor([1, 2], dtype=torch.uint8),
        "c.bf16": torch.tensor([1.0, -2.5, 3.25, 1e30], dtype=torch.bfloat16),
        "权重": torch.tensor([1.0, -0.5], dtype=torch.float16),
        "\U00010000": torch.tensor([1.0]),
        "\uffee": torch.tensor([2.0]),
        "quote\"\\\n": torch.tensor([3.0]),
        "scalar": torch.tensor(3.0),
        "empty": torch.zeros(0, 4),
        "flag": torch.tensor([True, False]),
        "double": torch.tensor([1e300], dtype=torch.float64),
        "int": torch.tensor([-7], dtype=torch.int32),
    }
    return safetensors.torch.save(tensors, metadata={"format": "pt"})


def float_bits():
    """Triples u32, u16, u16: f32 bits and what torch rounds them to as f16 and bf16."""
    rng = random.Random(1)
    bits = [0, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF]
    for centre in (0x33000000, 0x33800000, 0x387FC000, 0x38800000, 0x3F800000, 0x477FE000, 0x477FF000, 0x7F7FFFFF, 0x00800000, 0x00008000, 0x3F808000, 0x3F818000, 0x3F801000, 0x3F803000):
        bits += [max(0, centre + d) for d in (-2, -1, 0, 1, 2)]
    bits += [rng.getrandbits(32) for _ in range(400)]
    bits += [rng.randint(0x32000000, 0x48000000) | (rng.getrandbits(1) << 31) for _ in range(800)]
    values = torch.tensor(bits, dtype=torch.int64).to(torch.uint32).view(torch.float32)
    f16 = values.to(torch.float16).view(torch.uint16).tolist()
    bf16 = values.to(torch.bfloat16).view(torch.uint16).tolist()
    return b"".join(struct.pack("<IHH", *triple) for triple in zip(bits, f16, bf16))


def main():
    for make in (every_kind, runnable, typed):
        model = make()
        name = make.__name__.replace("_", "-")
        (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    onnx.checker.check_model(typed())
    (HERE / "mixed.safetensors").write_bytes(safetensors_file())
    (HERE / "float-bits.bin").write_bytes(float_bits())


if __name__ == "__main__":
    main()
