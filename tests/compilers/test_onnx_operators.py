"""Every exporter rule against LiteRT: networks of one operator, fed directly and behind a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.compilers.tflite_to_onnx import SUPPORTED, export_onnx
from edgerig.errors import CompileError
from edgerig.models.graph.tflite_file import read_tflite, read_tflite_weights

Array = NDArray[Any]
IMAGE = (1, 6, 5, 4)
rng = np.random.default_rng(0)


def floats(*shape: int) -> Array:
    return rng.normal(0, 1, shape).astype(np.float32)


def ints(*values: int) -> Array:
    return np.array(values, np.int32)


class Case(NamedTuple):
    """One operator. ``inputs``: "x" (the fed tensor), "y" (a second fed one), a constant, or None for left out."""

    op: str
    inputs: Sequence[Any] = ("x",)
    options: dict[str, Any] = {}  # noqa: RUF012
    shape: tuple[int, ...] = IMAGE
    outputs: int = 1
    kind: str = "float32"
    low: float = -2.0
    version: int = 1
    result: tuple[int, ...] = ()


POOL = {"padding": 0, "strideW": 2, "strideH": 2, "filterWidth": 3, "filterHeight": 2}
CONV = {"padding": 0, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
RELU = {"fusedActivationFunction": 1}
PADS = np.array([[0, 0], [1, 2], [3, 0], [0, 1]], np.int32)

CASES = [
    *(
        Case("CONV_2D", ("x", floats(6, 3, 2, 4), floats(6)), {**CONV, **options})
        for options in (
            {"fusedActivationFunction": 0},
            {"strideH": 2, "fusedActivationFunction": 1},
            {"padding": 1, "fusedActivationFunction": 3},
            {"padding": 1, "strideW": 2, "fusedActivationFunction": 2},
            {"dilationHFactor": 2, "dilationWFactor": 2},
        )
    ),
    Case("CONV_2D", ("x", floats(6, 3, 3, 2), floats(6)), CONV, version=6),
    *(
        Case(
            "DEPTHWISE_CONV_2D",
            ("x", floats(1, 3, 3, 4 * many), floats(4 * many)),
            {**CONV, "padding": padding, "strideH": 2, "strideW": 2, "depthMultiplier": many, **RELU},
        )
        for padding in (0, 1)
        for many in (1, 2)
    ),
    *(
        Case(
            "TRANSPOSE_CONV",
            (ints(1, *out, 3), floats(3, *window, 4), "x", *bias),
            {"padding": padding, "strideH": stride, "strideW": stride},
            version=3 if bias else 1,
        )
        for out, window, padding, stride, bias in (
            ((12, 10), (2, 2), 1, 2, ()),
            ((12, 10), (3, 3), 0, 2, (floats(3),)),
            ((13, 11), (3, 3), 1, 2, ()),
            ((6, 5), (3, 3), 0, 1, (floats(3),)),
        )
    ),
    *(Case(op, options={**POOL, "padding": p}) for op in ("MAX_POOL_2D", "AVERAGE_POOL_2D") for p in (0, 1)),
    Case("PAD", ("x", PADS)),
    Case("PADV2", ("x", PADS, np.array([1.5], np.float32))),
    Case("MIRROR_PAD", ("x", PADS), {"mode": 0}),
    *(
        Case(op, ("x", ints(*size)), {"alignCorners": align, "halfPixelCenters": half}, version=3)
        for op in ("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR")
        for size in ((12, 10), (3, 7))
        for align, half in ((False, False), (True, False), (False, True))
    ),
    Case("DEPTH_TO_SPACE", options={"blockSize": 2}),
    Case("SPACE_TO_DEPTH", options={"blockSize": 2}, shape=(1, 6, 4, 3)),
    Case("FULLY_CONNECTED", ("x", floats(3, 20), floats(3)), {"fusedActivationFunction": 1}, shape=(1, 20)),
    Case("FULLY_CONNECTED", ("x", floats(3, 20), None), shape=(1, 2, 2, 5)),
    Case("FULLY_CONNECTED", ("x", floats(3, 4), floats(3)), {"keepNumDims": True}, shape=IMAGE),
    Case("FULLY_CONNECTED", ("x", floats(3, 4), floats(3)), shape=(1, 1, 1, 4)),
    Case("BATCH_MATMUL", ("x", "y"), {"adjX": False, "adjY": True}, shape=(2, 3, 4)),
    Case("BATCH_MATMUL", ("x", "y"), {"adjX": True, "adjY": False}, shape=(2, 3, 4)),
    Case("BATCH_MATMUL", ("x", floats(2, 4, 3)), {"adjX": False, "adjY": False}, shape=(2, 3, 4)),
    Case("SOFTMAX", options={"beta": 1.0}),
    Case("SOFTMAX", options={"beta": 0.5}, shape=(1, 7)),
    Case("LOG_SOFTMAX"),
    Case("LEAKY_RELU", options={"alpha": 0.2}),
    Case("PRELU", ("x", floats(1, 1, 4))),
    *(Case(op) for op in ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LOGISTIC", "TANH", "ELU", "HARD_SWISH")),
    *(Case(op) for op in ("EXP", "SIN", "COS", "NEG", "ABS", "FLOOR", "CEIL", "ROUND", "SQUARE", "SIGN")),
    *(Case(op, low=0.1) for op in ("LOG", "SQRT", "RSQRT")),
    Case("GELU", options={"approximate": False}),
    Case("GELU", options={"approximate": True}),
    *(
        Case(op, ("x", other), {"fusedActivationFunction": 1} if op in ("ADD", "SUB", "MUL", "DIV") else {})
        for op in ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE")
        for other in ("y", floats(4), floats(1, 1, 1, 4), floats(5, 4), np.float32(0.7).reshape(()), floats(1, 6, 5, 1))
    ),
    Case("POW", ("x", np.float32(1.5).reshape(())), low=0.1),
    *(
        Case(op, ("x", "y"), kind="bool")
        for op in ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")
    ),
    *(
        Case(op, ("x", ints(*axes)), {"keepDims": keep})
        for op in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")
        for axes in ((1, 2), (3,), (1,), (-1, 2))
        for keep in (False, True)
    ),
    Case("ARG_MAX", ("x", ints(3)), {"outputType": 2}, kind="int32"),
    Case("ARG_MIN", ("x", ints(1)), {"outputType": 4}, kind="int64"),
    Case("RESHAPE", ("x", ints(1, 120)), {"newShape": [1, 120]}),
    Case("RESHAPE", ("x", ints(1, 4)), {"newShape": [1, 4]}, shape=(1, 1, 1, 4)),
    Case("RESHAPE", ("x", ints(4, 30)), {"newShape": [4, 30]}),
    Case("SQUEEZE", options={"squeezeDims": [1]}, shape=(1, 1, 5, 4)),
    Case("EXPAND_DIMS", ("x", ints(1))),
    Case("TRANSPOSE", ("x", ints(0, 2, 3, 1))),
    *(Case("CONCATENATION", ("x", "y", "x"), {"axis": axis}) for axis in (1, 3, -1)),
    Case("CONCATENATION", ("x", floats(*IMAGE)), {"axis": 3, "fusedActivationFunction": 0}),
    Case("SPLIT", (ints(3).reshape(()), "x"), {"numSplits": 2}, outputs=2),
    Case("SPLIT_V", ("x", ints(1, 3, 2), ints(1).reshape(())), {"numSplits": 3}, outputs=3),
    Case("PACK", ("x", "y"), {"valuesCount": 2, "axis": 1}),
    # A constant number stays one: it is no vector.
    Case("PACK", ("x", np.array(0.5, np.float32)), {"valuesCount": 2}, shape=()),
    Case("UNPACK", options={"num": 4, "axis": 3}, outputs=4),
    Case("SLICE", ("x", ints(0, 1, 2, 0), ints(1, 3, -1, 2)), result=(1, 3, 3, 2)),
    Case(
        "STRIDED_SLICE",
        ("x", ints(0, 1, 0, 3), ints(1, -1, 4, 0), ints(1, 2, 1, -1)),
        {"beginMask": 4, "endMask": 8},
    ),
    Case(
        "STRIDED_SLICE",
        ("x", ints(0, 1, 0, -1), ints(1, 2, 5, 0), ints(1, 1, 1, 1)),
        {"beginMask": 5, "endMask": 5, "shrinkAxisMask": 10},
    ),
    Case("GATHER", ("x", ints(3, 0, 0)), {"axis": 3}),
    Case("GATHER", ("x", ints(2).reshape(())), {"axis": 1}),
    Case("BROADCAST_TO", ("x", ints(1, 6, 5, 4)), shape=(1, 6, 1, 4), version=2),
    Case("TILE", ("x", ints(1, 2, 1, 3))),
    Case("CAST", options={"inDataType": 0, "outDataType": 2}, kind="int32"),
    Case("SELECT_V2", (np.array([True, False, True, True]), "x", "y")),
    Case("SELECT", (rng.random(IMAGE) < 0.5, "x", "y")),
    Case("SHAPE", options={"outType": 2}, kind="int32"),
]

OPTIONS = {
    "MEAN": "ReducerOptions",
    "SUM": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "CONV_2D": "Conv2DOptions",
    "PADV2": "PadV2Options",
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "SELECT_V2": "SelectV2Options",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "SPLIT_V": "SplitVOptions",
}


class Network:
    """A TFLite file of a chain of operators, put together from the schema's objects."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema = schema
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.subgraphs, self.model.operatorCodes = 3, [self.graph], []
        self.model.buffers = [schema.BufferT()]
        self.graph.tensors, self.graph.operators, self.graph.inputs, self.graph.outputs = [], [], [], []

    def tensor(self, shape: Sequence[int], kind: str = "float32", content: Array | None = None) -> int:
        tensor = self.schema.TensorT()
        tensor.shape, tensor.buffer = list(shape), 0
        tensor.type = getattr(self.schema.TensorType, kind.upper())
        tensor.name = f"t{len(self.graph.tensors)}".encode()
        if content is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(content).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(
        self, op: str, inputs: list[int], outputs: list[int], options: dict[str, Any], version: int = 1
    ) -> None:
        code = self.schema.OperatorCodeT()
        code.builtinCode = getattr(self.schema.BuiltinOperator, op)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
        self.model.operatorCodes.append(code)
        operator = self.schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self.model.operatorCodes) - 1, inputs, outputs
        name = OPTIONS.get(op) or "".join(part.capitalize() for part in op.split("_")) + "Options"
        if options or hasattr(self.schema, name + "T"):
            operator.builtinOptions = getattr(self.schema, name + "T")()
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, name)
            vars(operator.builtinOptions).update(options)
        self.graph.operators.append(operator)

    def pack(self) -> bytes:
        import flatbuffers

        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def build(case: Case, behind: bool, shapes: list[tuple[int, ...]] | None = None) -> bytes:
    """The case's network; ``behind`` a 1x1 convolution its fed tensors come into ONNX channels first."""
    net = Network()
    fed: dict[str, int] = {}
    for name in ("x", "y"):
        if name in [item for item in case.inputs if isinstance(item, str)]:
            fed[name] = net.tensor(case.shape)
            net.graph.inputs.append(fed[name])
            if behind:
                channels = case.shape[-1]
                turn = np.eye(channels, dtype=np.float32)[::-1].copy()
                made = net.tensor(case.shape)
                kernel = net.tensor((channels, 1, 1, channels), content=turn.reshape(channels, 1, 1, channels))
                zeros = net.tensor((channels,), content=np.zeros(channels, np.float32))
                net.operator("CONV_2D", [fed[name], kernel, zeros], [made], CONV)
                fed[name] = made
    inputs = []
    for item in case.inputs:
        if isinstance(item, str):
            inputs.append(fed[item])
        elif item is None:
            inputs.append(-1)
        else:
            inputs.append(net.tensor(item.shape, item.dtype.name, item))
    outputs = [
        net.tensor(shapes[place] if shapes else case.result or (1,) * len(case.shape), case.kind)
        for place in range(case.outputs)
    ]
    net.operator(case.op, inputs, outputs, case.options, case.version)
    net.graph.outputs = outputs
    return net.pack()


def run_litert(data: bytes, inputs: list[Array]) -> list[Array]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def run_onnx(data: bytes, inputs: list[Array]) -> list[Array]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    found: list[Array] = session.run(None, dict(zip(names, inputs, strict=True)))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("behind", [False, True], ids=["direct", "behind-conv"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.op)
def test_an_operator_computes_in_onnx_what_it_computes_in_tflite(case: Case, behind: bool) -> None:
    if behind and len(case.shape) != 4:
        pytest.skip("only images have two layouts")
    fed = len({item for item in case.inputs if isinstance(item, str)})
    random = np.random.default_rng(1)
    inputs = [random.uniform(case.low, 2, case.shape).astype(np.float32) for _ in range(fed)]
    if "EQUAL" in case.op:
        inputs[1][0, ::2] = inputs[0][0, ::2]
    # LiteRT works out the output shapes; the file must state them, as converters' files do.
    expected = run_litert(build(case, behind), inputs)
    data = build(case, behind, [array.shape for array in expected])
    found = run_onnx(export_onnx(read_tflite(data, "net"), read_tflite_weights(data, "net"), "net"), inputs)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_every_rule_is_tried() -> None:
    assert set(SUPPORTED) - {case.op for case in CASES} <= {"FILL", "LOGICAL_NOT", "LOGICAL_AND", "LOGICAL_OR"}


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (Case("MIRROR_PAD", ("x", PADS), {"mode": 1}), "SYMMETRIC"),
        (Case("STRIDED_SLICE", ("x", ints(0), ints(1), ints(1)), {"newAxisMask": 1}), "new_axis_mask"),
        (Case("SVDF", ("x", floats(2, 4), floats(2, 3), None, None)), "no rule"),
    ],
)
def test_what_cannot_be_exported_is_named_with_its_place(case: Case, words: str) -> None:
    data = build(case, behind=True, shapes=[IMAGE])
    with pytest.raises(CompileError, match=words) as caught:
        export_onnx(read_tflite(data, "net"), read_tflite_weights(data, "net"), "net")
    assert f"operator 1 ({case.op}" in caught.value.message
    assert caught.value.hint
