"""Write what is generated: the schema of rig files, the reference of every setting, the tutorials as notebooks.

Run it after changing a setting or a tutorial; a test holds the files against the code. The notebooks ship with
their outputs: where the cells of one have changed, it is run, which trains a small network and takes up to a minute.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from edgerig.models.base import TrainSettings
from edgerig.plugin_names import NOUNS, group_of, names, plural
from edgerig.plugins import Plugin, Settings, describe, find
from edgerig.rig.schema import rig_schema
from edgerig.rig.types import Measure
from edgerig.suites.workflow.schema import workflow_schema

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "examples" / "rig.schema.json"
WORKFLOW_SCHEMA = ROOT / "examples" / "workflow.schema.json"
REFERENCE = ROOT / "docs" / "settings.md"
#: The tutorials, each of which is a notebook, too.
TUTORIALS = tuple(ROOT / "examples" / name / "tutorial.py" for name in ("mnist", "digits", "vision"))


def check_installed() -> None:
    """Refuse to leave out plugins: those of pyproject.toml that came after the last installation are not found."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for noun in NOUNS:
        missing = set(project["entry-points"].get(group_of(noun), {})) - set(names(noun))
        if missing:
            raise SystemExit(f"{noun} {', '.join(sorted(missing))} is not installed: pip install -e . first")


def schema_text() -> str:
    """Content of the schema file."""
    return json.dumps(rig_schema(), indent=1, sort_keys=True) + "\n"


def workflow_schema_text() -> str:
    """Content of the schema file of workflows."""
    return json.dumps(workflow_schema(), indent=1, sort_keys=True) + "\n"


def reference_text() -> str:
    """Content of the settings page."""
    return "\n".join(_reference_lines()) + "\n"


def notebook_of(tutorial: Path) -> Path:
    """The notebook that a tutorial is as well."""
    return tutorial.with_suffix(".ipynb")


def notebook_text(tutorial: Path) -> str:
    """Content of the notebook: the tutorial's docstring and numbered comments as text, the rest as code."""
    text = re.sub(r'sys\.argv\[1\] if len\(sys\.argv\) > 1 else ("[\w/]+")', r"\1", tutorial.read_text())
    # A notebook has no file of its own; what lies beside it is in its folder.
    text = re.sub(r'Path\(__file__\)\.with_name\(("[\w.]+")\)', r"Path(\1)", text)
    title, body = text.removeprefix('"""').split('"""', 1)
    cells = [_cell("markdown", 0, "# " + title.split(". Run it:")[0])]
    for number, part in enumerate(re.split(r"\n(?=# \d)", body.replace("import sys\n", "")), 1):
        comment = re.match(r"(?:# .*\n)+", part)
        if comment:
            cells.append(_cell("markdown", 2 * number, re.sub(r"^# ", "", comment.group(), flags=re.MULTILINE)))
        code = part[comment.end() :] if comment else part
        cells.append(_cell("code", 2 * number + 1, code))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return _json({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


def without_outputs(text: str) -> str:
    """A notebook's text as it would be had it never run."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"execution_count": None, "outputs": []}
    return _json(notebook)


def executed(text: str, beside: Path) -> str:
    """The text of a notebook after running it in a folder with what lies in ``beside``; what is printed is kept,
    progress is not."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.reads(text, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(beside, folder, dirs_exist_ok=True)
        NotebookClient(notebook, timeout=280, resources={"metadata": {"path": folder}}).execute()
    plain = json.loads(nbformat.writes(notebook))
    for cell in plain["cells"]:
        cell["metadata"] = {}
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "code":
            printed = [one for one in cell["outputs"] if one.get("name") == "stdout"]
            cell["outputs"] = [{**one, "text": "".join(one["text"])} for one in printed]
    plain["metadata"] = {"kernelspec": plain["metadata"]["kernelspec"]}
    return _json(plain)


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _cell(kind: str, number: int, text: str) -> dict[str, object]:
    extra = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text.strip(), **extra}


def _reference_lines() -> Iterator[str]:
    yield "# Every setting"
    yield ""
    yield "Made from the code by `scripts/make_reference.py`. How they are put together: [rig-file.md](rig-file.md)."
    yield from _section("measure", "How each cell is measured", Measure, level=2)
    yield from _section("model.train", "How a registered model is trained", TrainSettings, level=2)
    for noun in NOUNS:
        yield ""
        yield f"## {plural(noun)}"
        for name in names(noun):
            plugin = find(noun, name, Plugin)
            extra = f" Extra: `{plugin.extra}`." if plugin.extra else ""
            yield from _section(name, f"{plugin.summary}.{extra}", plugin.Settings, level=3)


def _section(name: str, summary: str, settings: type[Settings], level: int) -> Iterator[str]:
    yield ""
    yield f"{'#' * level} {name}"
    yield ""
    yield summary.replace("..", ".")
    rows = list(describe(settings))
    if rows:
        yield ""
        yield "| setting | default | meaning |"
        yield "|---|---|---|"
        for key, default, text in rows:
            yield f"| `{key}` | `{default}` | {text} |"


if __name__ == "__main__":
    check_installed()
    SCHEMA.write_text(schema_text())
    WORKFLOW_SCHEMA.write_text(workflow_schema_text())
    REFERENCE.write_text(reference_text())
    for tutorial in TUTORIALS:
        wanted, notebook = notebook_text(tutorial), notebook_of(tutorial)
        if not notebook.exists() or without_outputs(notebook.read_text()) != wanted:
            notebook.write_text(executed(wanted, tutorial.parent))
    sys.stdout.write("".join(f"{path}\n" for path in (SCHEMA, REFERENCE, *map(notebook_of, TUTORIALS))))
