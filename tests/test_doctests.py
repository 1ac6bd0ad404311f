"""Examples in docstrings run and give what they show; metrics, statistics and formats all have one."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "edgerig"
WITH_EXAMPLES = sorted(path for path in SOURCE.rglob("*.py") if ">>> " in path.read_text())

#: Modules of formulas: every public function in them, and every public class that computes, shows how it is used.
FORMULAS = (
    "tasks/metrics/chance.py",
    "tasks/metrics/functions.py",
    "tasks/metrics/objects.py",
    "datasets/preprocess.py",
    "measure/comparison.py",
    "measure/intervals.py",
    "measure/shares.py",
    "measure/stats.py",
    "measure/student.py",
    "tensors.py",
)


def module_of(path: Path) -> str:
    return ".".join(["edgerig", *path.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__")


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_examples_of_a_module_give_what_they_show(path: Path) -> None:
    result = doctest.testmod(importlib.import_module(module_of(path)), report=True)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_has_an_example(name: str) -> None:
    without = []
    for node in ast.parse((SOURCE / name).read_text()).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        computes = isinstance(node, ast.FunctionDef) or any(isinstance(part, ast.FunctionDef) for part in node.body)
        if computes and ">>> " not in ast.unparse(node):
            without.append(node.name)
    assert not without, f"{name}: no example for {', '.join(without)}"
