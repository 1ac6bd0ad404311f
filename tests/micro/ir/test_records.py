"""Every operator is complete: record, class, shapes, cost, reference, portable kernel, generator, documentation."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model
from edgerig.micro.frontend.build import SUPPORTED
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir import RECORDS, Node
from edgerig.micro.ir.operators.record import OperatorRecord
from edgerig.micro.kernels.portable import PORTABLE
from edgerig.micro.kernels.portable.elementwise import BinaryS8
from edgerig.micro.pipeline import compile_program
from edgerig.micro.reference.run import operations
from edgerig.models.graph.tflite_file import read_tflite
from edgerig.testing.networks.random_operators import CASES, FLOAT_ONLY, GENERATORS, random_operator

ROOT = Path(__file__).parents[3]


def table_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_operator_table", ROOT / "scripts" / "make_operator_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = table_maker()
DOCUMENTED = MAKER.documented(MAKER.PAGE.read_text())


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


def test_a_gap_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare(Node):
        op = "BARE"

    record = OperatorRecord("BARE", Bare, RECORDS["ADD"].read, RECORDS["ADD"].row)
    assert gaps(record) == ["shapes", "cost", "reference", "generator", "documentation"]
    assert gaps(dataclasses.replace(RECORDS["ADD"], read=None)) == ["reader or class"]
    monkeypatch.delitem(GENERATORS, "SUB")
    assert gaps(RECORDS["SUB"]) == ["generator"]


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
        assert op in {operator.op for operator in read_tflite(data, op).operators}
        assert all(
            layer.kernel.startswith("portable-") for layer in compile_model(data, "net", Options()).manifest.layers
        )
        for node in read_program(data, op).nodes:
            assert node.output_shapes() == tuple(value.shape for value in node.outputs)
            assert node.macs >= 0


def test_the_documentation_says_of_which_types_an_operator_is() -> None:
    for op, record in RECORDS.items():
        types = {dtype for name, dtype in CASES if name == op} | ({"int8"} if op in FLOAT_ONLY else set())
        named = {dtype for dtype in ("int8", "float32") if getattr(record.row, dtype) == "yes"}
        assert not types or named in (types, set()), op


def test_the_documentation_s_table_is_made_of_the_records() -> None:
    page = MAKER.PAGE.read_text()
    assert page == MAKER.with_table(page), "run scripts/make_operator_table.py"
    broken = page.replace("| ADD, ", "| ADDITION, ")
    assert broken != page
    assert MAKER.with_table(broken) == page
