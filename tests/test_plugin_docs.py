"""Each page of docs/plugins holds a whole example, which is written to a folder and run as a reader would; and it names
every hook of the noun's base classes.

A code block with a title, ```` ```python title="my_net.py" ````, is a file of the example. Of the blocks of type ``sh``
the lines that begin with ``edgerig`` or ``python`` are run, in the page's order, in the folder with all files.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from tests.needs import need_torch

from edgerig import errors
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset, Samples
from edgerig.formats import Format
from edgerig.models.base import ModelWrapper
from edgerig.models.graph.types import Operator
from edgerig.models.training.hooks import TrainingHooks
from edgerig.plugin_names import NOUNS, group_of
from edgerig.plugins import Plugin
from edgerig.power.base import PowerMonitor
from edgerig.runtimes.base import Runtime
from edgerig.suites.conversion_grid.conversion import ONNXConversion
from edgerig.targets.base import Session, Target
from edgerig.targets.remote.base import WiredTarget
from edgerig.tasks.base import Task
from edgerig.tasks.metrics import Metric
from edgerig.wire.link import Link
from edgerig.wire.protocol import RuntimeProtocol

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "plugins"
PAGES = sorted(FOLDER.glob("*.md"))
#: The base classes whose every hook a page names.
BASES: dict[str, tuple[type, ...]] = {
    "index": (Plugin,),
    "compiler": (ModelCompiler,),
    "dataset": (Dataset, Samples),
    "metric": (Metric,),
    "task": (Task,),
    "model": (ModelWrapper, TrainingHooks),
    "runtime": (Runtime,),
    "runtime-protocol": (Link, WiredTarget, RuntimeProtocol),
    "target": (Target, Session),
    "format": (Format, Operator),
    "power-monitor": (PowerMonitor,),
    "conversion": (ONNXConversion,),
}
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
#: Seconds for one command of a page.
TIMEOUT = 250


def files_of(page: Path) -> dict[str, str]:
    """The files of a page's example, by name."""
    return {title: text for _, title, text in BLOCK.findall(page.read_text()) if title}


def commands_of(page: Path) -> list[str]:
    """The commands of a page's example, in order."""
    blocks = [text.replace("\\\n", " ") for kind, _, text in BLOCK.findall(page.read_text()) if kind == "sh"]
    lines = [line.strip() for text in blocks for line in text.splitlines()]
    return [line for line in lines if line.startswith(("edgerig ", "python "))]


EXAMPLES = [page for page in PAGES if files_of(page)]


def needs_torch(page: Path) -> bool:
    return any("import_torch" in text for text in files_of(page).values())


def named(pages: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.stem)


@pytest.mark.slow
@named(EXAMPLES)
def test_the_example_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    if needs_torch(page):
        need_torch()
    for name, text in files_of(page).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    program = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{program}{os.pathsep}{os.environ['PATH']}"}
    for command in commands_of(page):
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, f"{command}\n{done.stderr}"


@pytest.mark.slow
def test_the_package_of_the_first_page_is_found_once_it_is_installed(tmp_path: Path) -> None:
    (project,) = (text for kind, _, text in BLOCK.findall((FOLDER / "index.md").read_text()) if kind == "toml")
    (tmp_path / "pyproject.toml").write_text(project)
    (tmp_path / "matrix_net.py").write_text(files_of(FOLDER / "format.md")["matrix_net.py"])
    site = tmp_path / "site"
    # What builds it is in the extra dev: an environment of its own to build in would be filled from a registry.
    words = ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", str(site), str(tmp_path)]
    subprocess.run([sys.executable, *words], check=True, timeout=TIMEOUT)
    groups = tomllib.loads(project)["project"]["entry-points"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *filter(None, sys.path)])}
    for group, points in groups.items():
        for name in points:
            command = [sys.executable, "-m", "edgerig", "list", group.removeprefix("edgerig."), name]
            done = subprocess.run(command, env=environment, cwd=site, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert name in done.stdout


def test_the_first_page_names_the_group_of_every_noun() -> None:
    page = (FOLDER / "index.md").read_text()
    assert all(f"`{group_of(noun)}`" in page for noun in NOUNS)


@named(EXAMPLES)
def test_an_example_proves_itself_and_is_measured(page: Path) -> None:
    commands = commands_of(page)
    assert any(command.startswith("python -m pytest") for command in commands), "no contract test is run"
    runs = any(command.startswith(("edgerig run", "edgerig bench", "edgerig grid")) for command in commands)
    # What no rig file names is measured by a program.
    runs |= "measure.py" in files_of(page)
    assert runs or any("edgerig.run(" in text for text in files_of(page).values()), "nothing is measured"


@named(EXAMPLES)
def test_an_example_is_written_as_the_house_has_it(page: Path, tmp_path: Path) -> None:
    """Formatted and without what the linter finds, as whoever copies it would like it."""
    for name, text in files_of(page).items():
        if name.endswith(".py"):
            (tmp_path / Path(name).name).write_text(text)
    ruff = [shutil.which("ruff") or str(Path(sys.executable).parent / "ruff")]
    config = ["--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    # Which imports are one's own depends on where the files lie.
    for words in (["check", "--ignore", "T20,I", *config], ["format", "--diff", *config]):
        done = subprocess.run([*ruff, *words, "."], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def hooks_of(base: type) -> set[str]:
    """What a plugin author may call, set or fill in: public names, abstract ones, and those that built-ins override."""
    documented = {cls for bases in BASES.values() for cls in bases} - {base}
    parents = [cls for cls in base.__mro__ if cls.__module__.startswith("edgerig.") and cls not in documented]
    own = {name for cls in parents for name in (*vars(cls), *inspect.get_annotations(cls))}
    filled = {name for sub in subclasses_of(base) for name in vars(sub) if not name.startswith("__")}
    methods = {name for name in own if callable(getattr(base, name, None)) or isinstance(_static(base, name), property)}
    public = {name for name in own if not name.startswith("_")}
    return public | (filled & methods) | {*getattr(base, "__abstractmethods__", ())}


def _static(base: type, name: str) -> object:
    return inspect.getattr_static(base, name, None)


def subclasses_of(base: type) -> set[type]:
    """All built-in classes below ``base``."""
    for noun in NOUNS:
        for point in entry_points(group=group_of(noun)):
            if point.value.startswith("edgerig."):
                importlib.import_module(point.value.partition(":")[0])
    below, waiting = set(), [base]
    while waiting:
        direct = [sub for sub in waiting.pop().__subclasses__() if sub.__module__.startswith("edgerig.")]
        below.update(direct)
        waiting += direct
    return below


@pytest.mark.parametrize("name", BASES)
def test_a_page_names_every_hook(name: str) -> None:
    text = (FOLDER / f"{name}.md").read_text()
    for base in BASES[name]:
        missing = sorted(hook for hook in hooks_of(base) if not re.search(rf"`{hook}\b", text))
        assert not missing, f"docs/plugins/{name}.md says nothing of {base.__name__}.{', '.join(missing)}"


@pytest.mark.parametrize("name", BASES)
def test_the_tables_of_a_page_name_hooks_that_there_are(name: str) -> None:
    known = {hook for base in (*BASES[name], Plugin) for hook in (*dir(base), *_annotated(base))} | {*dir(errors)}
    for row in re.findall(r"^\| (`.*?) \|", (FOLDER / f"{name}.md").read_text(), re.MULTILINE):
        for hook in re.findall(r"`([a-zA-Z_]\w*)(?:\([^`]*\))?`", row):
            assert hook in known, f"docs/plugins/{name}.md: there is no {hook}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_table_tells_of_each_hook_once(page: Path) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE):
        entries = [row.split("|")[1].strip() for row in table.splitlines()]
        twice = {entry for entry in entries if entry and entries.count(entry) > 1}
        assert not twice, f"{page.name}: {twice}"


def _annotated(base: type) -> set[str]:
    return {name for parent in base.__mro__ for name in inspect.get_annotations(parent)}


def test_the_index_names_every_page() -> None:
    text = (FOLDER / "index.md").read_text()
    for page in PAGES:
        assert page.stem == "index" or f"]({page.name})" in text, page.name
