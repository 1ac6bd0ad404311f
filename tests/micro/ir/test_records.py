"""Every operator is complete: record, class, shapes, cost, reference, portable kernel, generator, documentation."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model
from edgerig.micro.arithmetic import tables as tables_module
from edgerig.micro.arithmetic.tables import REAL, TABLES
from edgerig.micro.frontend.build import SUPPORTED, name_of
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir import RECORDS, Binary, Node, Relu, Unary
from edgerig.micro.ir.operators.record import OperatorRecord
from edgerig.micro.kernels.portable import PORTABLE
from edgerig.micro.kernels.portable.common import FOLDER
from edgerig.micro.kernels.portable.elementwise import CURVES, BinaryS8
from edgerig.micro.pipeline import compile_program
from edgerig.micro.reference.run import operations
from edgerig.models.graph.tflite_file import read_tflite
from edgerig.testing.networks.random_operators import CASES, FLOAT_ONLY, GENERATORS, REFUSED_IN_INT8, random_operator
from edgerig.testing.networks.random_operators.draw import Draw

ROOT = Path(__file__).parents[3]


def table_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_operator_table", ROOT / "scripts" / "make_operator_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = table_maker()
#: Operators whose int8 has no scale to overflow.
ONE_SCALE = [n for n, r in RECORDS.items() if issubclass(r.node or Node, Binary) and r.node.scaling == "one"]  # type: ignore[union-attr]
DOCUMENTED = MAKER.documented(MAKER.PAGE.read_text())


def gaps_of_family(node: type[Node]) -> list[str]:
    """What is missing of an operator whose kernels are those of its family."""
    missing = []
    if issubclass(node, Binary):
        missing += [name for name in ("scaling", "on_constants") if not hasattr(node, name)]
    if issubclass(node, Unary):
        missing += ["table"] if node not in TABLES else []
        missing += ["real function"] if node not in REAL else []
    # RELU is clamping, which other operators do as well.
    alone = issubclass(node, Binary | Unary) and node is not Relu and node.op not in CURVES
    if alone and not (FOLDER / f"micro_{node.op.lower()}.c").is_file():
        missing.append(f"micro_{node.op.lower()}.c")
    return missing


def gaps(record: OperatorRecord) -> list[str]:
    """What is missing of an operator."""
    missing = []
    node = record.node
    if (node is None) != (record.read is None):
        missing.append("reader or class")
    if node is not None:
        if node.output_shapes is Node.output_shapes:
            missing.append("shapes")
        if node.macs is Node.macs:
            missing.append("cost")
        if node not in operations():
            missing.append("reference")
        missing += gaps_of_family(node)
    if record.name not in GENERATORS:
        missing.append("generator")
    if record.name not in DOCUMENTED:
        missing.append("documentation")
    return missing


@pytest.mark.parametrize("record", RECORDS.values(), ids=list(RECORDS))
def test_an_operator_is_complete(record: OperatorRecord) -> None:
    assert gaps(record) == []
    assert RECORDS[record.name] is record
    assert record.name in SUPPORTED


def test_every_class_of_an_operator_has_a_record() -> None:
    """Else it could be made by nobody, and nothing above would ask for it. Passes make some; ONNX alone has two."""
    recorded = {record.node for record in RECORDS.values()}
    package = RECORDS["ADD"].node.__module__.rpartition(".")[0]  # type: ignore[union-attr]
    classes = {cls for cls in _subclasses(Node) if cls.__module__.startswith(package) and "op" in vars(cls)}
    assert {cls.op for cls in classes - recorded} == {"PUSH", "LOOKUP", "MOVE_ROWS", "TREE_ENSEMBLE", "CLASS_LABEL"}


def _subclasses(base: type[Node]) -> set[type[Node]]:
    return {each for cls in base.__subclasses__() for each in (cls, *_subclasses(cls))}


def test_a_gap_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare(Node):
        op = "BARE"

    record = OperatorRecord("BARE", Bare, RECORDS["ADD"].read, RECORDS["ADD"].row)
    assert gaps(record) == ["shapes", "cost", "reference", "generator", "documentation"]
    assert gaps(dataclasses.replace(RECORDS["ADD"], read=None)) == ["reader or class"]
    monkeypatch.delitem(GENERATORS, "SUB")
    assert gaps(RECORDS["SUB"]) == ["generator"]


def test_a_gap_of_an_operator_of_a_family_is_seen() -> None:
    class TwoValues(Binary):
        op = "TWO_VALUES"

    class OneValue(Unary):
        op = "ONE_VALUE"

    row = RECORDS["ADD"].row
    more = ["generator", "documentation"]
    assert gaps(OperatorRecord("TWO_VALUES", TwoValues, RECORDS["ADD"].read, row)) == [
        "reference", "scaling", "on_constants", "micro_two_values.c", *more
    ]  # fmt: skip
    assert gaps(OperatorRecord("ONE_VALUE", OneValue, RECORDS["RELU"].read, row)) == [
        "reference", "table", "real function", "micro_one_value.c", *more
    ]  # fmt: skip


@pytest.mark.parametrize(
    "op",
    [
        name
        for name, record in RECORDS.items()
        if issubclass(record.node or Node, Binary) and name not in REFUSED_IN_INT8
    ],
)
def test_int8_whose_integers_would_overflow_is_refused(op: str) -> None:
    """Of every operator on two values that scales: an output scale far below those of its inputs."""
    draw = Draw(op, 0, "int8")
    a, b = (draw.input((1, 4), name, (1.0, 0)) for name in "ab")
    y = draw.input((1, 4), "y", (1e-9, 0))
    draw.operator([a, b], [y])
    with pytest.raises(CompileError, match="would overflow 32 bits" if op not in ONE_SCALE else "scale"):
        compile_model(draw.build([a, b], [y]), "net", Options())


@pytest.mark.parametrize("op", sorted(REFUSED_IN_INT8))
def test_what_is_supported_in_float_alone_is_refused_in_int8(op: str) -> None:
    with pytest.raises(CompileError, match=f"{op}, y.* cannot be compiled: it is int8"):
        compile_model(random_int8(op), "net", Options())


def random_int8(op: str) -> bytes:
    """A network of the operator in int8, though LiteRT may have no kernel of it."""
    return GENERATORS[op](Draw(op, 0, "int8"))


def test_a_function_of_one_value_whose_integers_would_overflow_is_refused() -> None:
    draw = Draw("LEAKY_RELU", 0, "int8")
    x, y = (draw.input((1, 4), name, (scale, 0)) for name, scale in (("x", 1.0), ("y", 1e-9)))
    draw.operator([x], [y], alpha=0.1)
    with pytest.raises(CompileError, match="would overflow 32 bits"):
        compile_model(draw.build([x], [y]), "net", Options())


def test_what_kernels_compute_with_knows_no_real_function_of_the_reference() -> None:
    """Tables and kernels have their own arithmetic, so that the reference can judge them."""
    tables = inspect.getsource(tables_module)
    assert tables.count("REAL") == tables.count("REAL[type(node)]") + tables.count("REAL: dict")
    assert tables.count("real_function(") == 1
    for path in (ROOT / "src/edgerig/micro/kernels").rglob("*.py"):
        assert not re.search(r"\b(REAL|real_function)\b", path.read_text()), path


def test_a_missing_portable_kernel_is_seen() -> None:
    program = read_program(random_operator("ADD", 0, "int8"), "ADD")
    others = [kernel for kernel in PORTABLE if not isinstance(kernel, BinaryS8)]
    with pytest.raises(CompileError, match=r"no kernel for operator 0 \(ADD"):
        compile_program(program, "net", Options(), kernels=others)


def test_nothing_is_generated_of_an_operator_that_has_no_record() -> None:
    assert set(GENERATORS) <= set(RECORDS)


@pytest.mark.parametrize(("op", "dtype"), CASES)
def test_a_portable_kernel_takes_what_is_drawn_and_the_drawing_has_the_operator(op: str, dtype: str) -> None:
    """What the documentation calls supported compiles for any CPU; the shapes are those that the file says."""
    for seed in range(3):
        data = random_operator(op, seed, dtype)
        assert op in {name_of(operator) for operator in read_tflite(data, op).operators}
        assert all(
            layer.kernel.startswith("portable-") for layer in compile_model(data, "net", Options()).manifest.layers
        )
        for node in read_program(data, op).nodes:
            assert node.output_shapes() == tuple(value.shape for value in node.outputs)
            assert node.macs >= 0


def test_the_documentation_says_of_which_types_an_operator_is() -> None:
    for op, record in RECORDS.items():
        types = {dtype for name, dtype in CASES if name == op}
        if op in FLOAT_ONLY and op not in REFUSED_IN_INT8:
            types.add("int8")
        named = {dtype for dtype in ("int8", "float32") if getattr(record.row, dtype) == "yes"}
        assert not types or named in (types, set()), op


def test_the_documentation_s_table_is_made_of_the_records() -> None:
    page = MAKER.PAGE.read_text()
    assert page == MAKER.with_table(page), "run scripts/make_operator_table.py"
    broken = page.replace("| ADD, ", "| ADDITION, ", 1)
    assert broken != page
    assert MAKER.with_table(broken) == page
