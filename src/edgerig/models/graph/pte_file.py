"""What a program of ExecuTorch (``.pte``) tells of itself: inputs, outputs, and what of it runs where.

A FlatBuffer with a header, and segments of data behind it (source: ExecuTorch's ``schema/program.fbs``), of which these
fields are read::

    Program         1: methods  3: data of delegates  4: segments
    ExecutionPlan   0: name  2: values  3: inputs  4: outputs  5: chains  6: operators  7: delegates  8: buffers' sizes
    EValue          0: what it is  1: the value itself
    Tensor          0: type  2: sizes  3: order of axes in memory  5: of its constant data, 0 for none
    Chain           2: instructions      Instruction  0: which one it is  1: its arguments
    KernelCall, DelegateCall  0: which operator or delegate  1: values that it takes and gives
    BackendDelegate 0: its name  1: where its data are (0: in segments or not  1: which)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

from edgerig.errors import ModelError
from edgerig.formats import Specification
from edgerig.models.graph import xnnpack_file
from edgerig.models.graph.flat_table import DAMAGED, FlatTable
from edgerig.tensors import TensorSpec

#: The method of a program that edgerig has compiled which tells the names of inputs and outputs: ExecuTorch keeps none.
ENDS_METHOD = "edgerig"
#: The method that is run, where there are several.
FORWARD = "forward"
XNNPACK = "XnnpackBackend"
#: The placement of operators that are not handed to a delegate.
KERNELS = "ExecuTorch's kernels"
_MAGIC, _HEADER_MAGIC, _HEADER = b"ET12", b"eh00", struct.Struct("<QQQ")
_TENSOR, _STRING, _KERNEL, _DELEGATE = 5, 6, 1, 2
_TYPES = {
    0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32", 7: "float64", 11: "bool",
    15: "bfloat16", 27: "uint16", 28: "uint32", 29: "uint64",
}  # fmt: skip
_HINT = "Compile the network again: edgerig compile net.pt2 --to executorch."


class Ends(msgspec.Struct, frozen=True):
    """Names of the inputs and of the outputs."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


class Operator(msgspec.Struct, frozen=True):
    """An operator: what it is called, what executes it, the type that it computes in ("" if that is not told)."""

    op: str
    placement: str
    dtype: str


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What a program tells.

    Attributes:
        method: The one that runs.
        orders: For each input the order of its axes in memory, outermost first.
        operators: Those that run, in order; of XNNPACK each for itself, of another delegate all as one.
        kernels: ExecuTorch's names of those that no delegate runs, such as ``aten::add.out``.
        delegates: Names of the delegates, each once.
        arena: Bytes of the buffers that the compiler has planned.
    """

    method: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    orders: tuple[tuple[int, ...], ...]
    operators: tuple[Operator, ...]
    kernels: tuple[str, ...]
    delegates: tuple[str, ...]
    arena: int

    def specification(self) -> Specification:
        """Inputs, outputs and scheme: int8 where an operator computes in it, else the type of most reals."""
        kinds = {operator.dtype for operator in self.operators}
        order = ("int8", "uint8", "float16", "bfloat16", "float64")
        scheme = next((kind for kind in order if kind in kinds), "float32")
        scheme = "int8" if scheme == "uint8" else scheme
        return Specification(inputs=self.inputs, outputs=self.outputs, scheme=scheme)


def read_pte(data: bytes, file: str) -> Program:
    """What the program ``data`` tells.

    Raises:
        ModelError: It is none, is not whole, or takes or gives something else than tensors.
    """
    if data[4:8] != _MAGIC:
        raise ModelError(f"{file} is no program of ExecuTorch.", _HINT)
    try:
        return _Reader(data, file).program()
    except DAMAGED as error:
        raise ModelError(f"{file} is a damaged program of ExecuTorch: {error}.", _HINT) from error


class _Reader:
    def __init__(self, data: bytes, file: str) -> None:
        self.data, self.file, self.base, size = data, file, len(data), len(data)
        if data[8:12] == _HEADER_MAGIC:
            size, self.base, segments = _HEADER.unpack_from(data, 16)
            whole = max(size, self.base + segments if self.base else 0)
            if len(data) < whole:
                raise IndexError(f"{len(data):,} of its {whole:,} bytes are there")
        self.root = FlatTable.root(data[:size])
        self.plans = {plan.text(0): plan for plan in self.root.tables(1)}

    def program(self) -> Program:
        method = self._method()
        self.plan = self.plans[method]
        self.values = list(self.plan.tables(2))
        self.names = [f"{table.text(0)}{'.' * bool(table.text(1))}{table.text(1)}" for table in self.plan.tables(6)]
        self.backends = list(self.plan.tables(7))
        ends = self._ends()
        given, got = self.plan.numbers(3, "<i"), self.plan.numbers(4, "<i")
        calls = list(self._calls())
        return Program(
            method=method,
            inputs=self._specs(given, "input", ends.inputs if ends else ()),
            outputs=self._specs(got, "output", ends.outputs if ends else ()),
            orders=tuple(self._tensor(index, "input").numbers(3, "<B") for index in given),
            operators=tuple(self._operators(calls)),
            kernels=tuple(dict.fromkeys(self.names[index] for kind, index, _ in calls if kind == _KERNEL)),
            delegates=tuple(dict.fromkeys(self.backends[index].text(0) for kind, index, _ in calls if kind != _KERNEL)),
            arena=sum(self.plan.numbers(8, "<q")),
        )

    def _method(self) -> str:
        own = [name for name in self.plans if name != ENDS_METHOD]
        if FORWARD in own:
            return FORWARD
        if len(own) != 1:
            raise ModelError(
                f"{self.file} has the methods {', '.join(own) or 'none'}, and none is called {FORWARD}: edgerig cannot "
                "tell which one to run.",
                "Export the method to measure as `forward`.",
            )
        return own[0]

    def _ends(self) -> Ends | None:
        """The names that edgerig's compiler has noted."""
        plan = self.plans.get(ENDS_METHOD)
        if plan is None:
            return None
        values, outputs = list(plan.tables(2)), plan.numbers(4, "<i")
        texts = [self._content(values[index], _STRING, "the names of inputs and outputs") for index in outputs]
        try:
            return msgspec.json.decode(texts[0].text(0), type=Ends)
        except msgspec.MsgspecError as error:
            raise ValueError(f"names of inputs and outputs: {error}") from error

    def _specs(self, indices: tuple[int, ...], kind: str, names: tuple[str, ...]) -> tuple[TensorSpec, ...]:
        specs = []
        for position, index in enumerate(indices):
            tensor = self._tensor(index, kind)
            dtype = _TYPES.get(tensor.number(0, "<b"))
            if dtype is None or dtype == "bfloat16":
                raise ModelError(
                    f"{self.file}: {kind} {position} is a tensor of a type that NumPy lacks.",
                    "Export the network with float32 inputs and outputs.",
                )
            name = names[position] if len(names) == len(indices) else f"{kind}_{position}"
            spec = TensorSpec(name=name, shape=tensor.numbers(2, "<i"), dtype=dtype)
            # As PyTorch has images.
            image = kind == "input" and len(spec.shape) == 4
            specs.append(msgspec.structs.replace(spec, layout="nchw") if image else spec)
        return tuple(specs)

    def _tensor(self, index: int, what: str) -> FlatTable:
        return self._content(self.values[index], _TENSOR, f"an {what}")

    def _content(self, value: FlatTable, kind: int, what: str) -> FlatTable:
        content = value.table(1)
        if value.number(0, "<B") != kind or content is None:
            due = "tensor" if kind == _TENSOR else "text"
            raise ModelError(
                f"{self.file}: {what} is no {due}, and edgerig feeds tensors alone.",
                "Export the network with tensors for inputs and outputs.",
            )
        return content

    def _calls(self) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Calls of operators and delegates: which kind, which one, and the values that it takes and gives."""
        for chain in self.plan.tables(5):
            for instruction in chain.tables(2):
                kind, call = instruction.number(0, "<B"), instruction.table(1)
                if kind in (_KERNEL, _DELEGATE) and call is not None:
                    yield kind, call.number(0, "<i"), call.numbers(1, "<i")

    def _operators(self, calls: list[tuple[int, int, tuple[int, ...]]]) -> Iterator[Operator]:
        for kind, index, arguments in calls:
            if kind == _KERNEL:
                name = self.names[index].partition("::")[2].partition(".")[0] or self.names[index]
                # So that it is known as a product of matrices.
                yield Operator({"mm": "matmul"}.get(name, name), KERNELS, self._type_of(name, arguments))
                continue
            backend = self.backends[index]
            if backend.text(0) != XNNPACK:
                yield Operator("all that it was handed", backend.text(0), "")
                continue
            for name, dtype in xnnpack_file.operators_of(self._data_of(backend)):
                yield Operator(name, XNNPACK, dtype)

    def _type_of(self, name: str, arguments: tuple[int, ...]) -> str:
        """The type of an operator's result, which stands last; "" where it turns one type into another."""
        if "quantize" in name or name.endswith("_copy"):
            return ""
        for index in reversed(arguments):
            content = self.values[index].table(1)
            if self.values[index].number(0, "<B") == _TENSOR and content is not None:
                return _TYPES.get(content.number(0, "<b"), "")
        return ""

    def _data_of(self, backend: FlatTable) -> bytes:
        reference = backend.table(1)
        if reference is None:
            raise ValueError("a delegate has no data")
        index = reference.number(1, "<I")
        if not reference.number(0, "<b"):
            begin, length = list(self.root.tables(3))[index].text_position(0)
            return self.data[begin : begin + length]
        segment = list(self.root.tables(4))[index]
        begin = self.base + segment.number(0, "<Q")
        return self.data[begin : begin + segment.number(1, "<Q")]
