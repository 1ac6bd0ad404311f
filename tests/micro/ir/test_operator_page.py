"""The page on how to add an operator: its code is what the sources say, and it names every field."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from edgerig.micro.ir import Binary, Node
from edgerig.micro.ir.operators.record import OperatorRecord

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/plugins/operator.md").read_text()
BINARY, UNARY = (PAGE.partition(f"## {name}")[2].partition("\n## ")[0] for name in ("MAXIMUM", "LEAKY_RELU"))
MICRO = ROOT / "src/edgerig/micro"


def blocks(kind: str, text: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("example", "name"), [(BINARY, "maximum"), (UNARY, "leaky_relu")])
def test_the_c_of_the_example_is_the_file(example: str, name: str) -> None:
    assert blocks("c", example) == [(MICRO / f"kernels/portable/c/micro_{name}.c").read_text()]


@pytest.mark.parametrize(
    ("example", "names", "counts"),
    [
        (BINARY, ("ir/operators/elementwise.py", "reference/elementwise.py"), (3, 2)),
        (UNARY, ("ir/operators/functions.py", "arithmetic/tables.py"), (2, 3)),
    ],
)
def test_the_python_of_the_example_stands_in_the_sources(
    example: str, names: tuple[str, str], counts: tuple[int, int]
) -> None:
    sources = [(MICRO / name).read_text() for name in names]
    found = [[block in source for source in sources] for block in blocks("python", example)]
    assert found == [[True, False]] * counts[0] + [[False, True]] * counts[1]


def test_the_imports_of_the_page_are_there() -> None:
    (imports,) = blocks("python", PAGE.partition("## The class")[0])
    exec(imports, {})


def test_the_page_names_every_field_and_every_file() -> None:
    fields = [field.name for field in dataclasses.fields(OperatorRecord)]
    for name in (*fields, "output_shapes", "macs", "on_constants", "scaling", "parameters", "int8_output"):
        assert f"| `{name}` |" in PAGE, name
    assert {"output_shapes", "macs"} <= set(vars(Node))
    assert "scaling" in Binary.__annotations__
    for path in re.findall(r"`((?:src|scripts|docs)/[\w/.]+\.(?:py|md|c))`", PAGE):
        assert (ROOT / path).exists() or "NAME" in path, path


@pytest.mark.parametrize("name", ["input", "optional", "constant", "option", "activation", "wrong", "refuse"])
def test_the_page_names_what_a_reader_calls(name: str) -> None:
    assert f"`reader.{name}(" in PAGE
