import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml

from edgerig.rig.schema import rig_schema

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = rig_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


#: Not workflow files, which have a schema of their own.
RIGS = sorted(path for path in ROOT.glob("examples/*/*.yaml") if "rig.schema.json" in path.read_text())


@pytest.mark.parametrize("path", RIGS, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_examples_are_valid(validator: jsonschema.Draft202012Validator, path: Path) -> None:
    validator.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    "data",
    [
        {"dataset": "mnist", "matrix": {"runtimes": ["litert"]}},
        {"model": "mnist-cnn", "dataset": "mnits", "matrix": {"runtimes": ["litert"]}},
        {"model": "mnist-cnn", "dataset": "mnist", "matrix": {"runtimes": [{"use": "litert", "thread": 1}]}},
        {"model": "mnist-cnn", "dataset": "mnist", "matrix": {"runtimes": ["litert"]}, "measure": {"samples": 0}},
    ],
)
def test_mistakes_are_seen_by_an_editor(validator: jsonschema.Draft202012Validator, data: dict[str, Any]) -> None:
    assert not validator.is_valid(data)


def reference_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "scripts" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_made_from_the_code_is_up_to_date() -> None:
    maker = reference_maker()
    assert maker.SCHEMA.read_text() == maker.schema_text(), "run scripts/make_reference.py"
    assert maker.REFERENCE.read_text() == maker.reference_text(), "run scripts/make_reference.py"
    for tutorial in maker.TUTORIALS:
        shipped = maker.without_outputs(maker.notebook_of(tutorial).read_text())
        assert shipped == maker.notebook_text(tutorial), "run scripts/make_reference.py"


@pytest.mark.parametrize("example", ["mnist", "digits", "vision"])
def test_the_notebooks_ship_with_what_their_cells_print(example: str) -> None:
    notebook = json.loads((ROOT / "examples" / example / "tutorial.ipynb").read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and "print(" in cell["source"]:
            printed = "".join(output["text"] for output in cell["outputs"])
            assert printed.strip(), f"run scripts/make_reference.py: no output of {cell['source'][:60]!r}"
            assert str(Path.home()) not in printed
