"""What a step's result depends on: its command, the contents of its inputs, the code that runs, the machine.

A step has two keys. Its ``portable`` key is that of the command and the contents of its inputs; where it was made does
not count, so that another machine finds it. Its ``full`` key adds the versions of libraries, edgerig's own code and the
kind of machine, as every cached stage has them: a step that is to run is taken from the cache only under this one.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgerig import files
from edgerig.boards.board import firmware_folder
from edgerig.cache import StageCache
from edgerig.engine import dependencies
from edgerig.errors import SpecError
from edgerig.plugin_code import files_of, own_code, variables_of_module
from edgerig.rig.document import read_document
from edgerig.suites.workflow.contents import entries_of, identity_of
from edgerig.suites.workflow.types import PlannedStep

_CLASS = re.compile(r"(?:^|=)([A-Za-z_][\w.]*):[A-Za-z_]\w*$")
#: The option, and the setting of a rig file, that names a module with layers of the user's own.
_CUSTOM = "custom"
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_YAML = (".yaml", ".yml")
#: Commands that build C sources which lie outside of the package.
LINKING = frozenset({"firmware", "digits", "run", "gate", "bench"})
#: A longer text cannot be the name of a file.
LONGEST_PATH = 4096


class StepKeys(msgspec.Struct, frozen=True):
    """The keys of a step's result."""

    portable: str
    full: str


def keys_of(step: PlannedStep, inputs: Mapping[str, str], folder: Path, targets: Mapping[str, str]) -> StepKeys:
    """The keys of a step.

    Args:
        inputs: The identity of each input's content.
        folder: The workflow file's folder, where classes that the command names may lie.
        targets: The full address of each output that is a dataset.
    """
    # ``--dataset-option root=/data/street``
    values = {word.partition("=")[2] or word for word in step.words}
    named = {value: _identity(Path(value)) for value in sorted(values) if _is_there(value)}
    portable = StageCache.key(
        "workflow step",
        words=step.words,
        inputs=inputs,
        outputs=step.outputs,
        code=_code(step.words, folder),
        named=named,
        stop_after=step.stop_after,
    )
    full = StageCache.key("workflow step here", portable=portable, targets=targets, surroundings=_surroundings(step))
    return StepKeys(portable, full)


def content_of(path: Path) -> str:
    """The identity of an input that is a file or a folder.

    Of a rig file that is also the content of the files and of the code of classes and modules that it names.

    Raises:
        StorageError: It cannot be read.
    """
    identity = _identity(path)
    if path.suffix not in _YAML or not path.is_file():
        return identity
    try:
        words = list(_texts(read_document(path).data))
    except SpecError:
        return identity
    named = {}
    for word in words:
        beside = path.parent / word
        if (
            0 < len(word) < LONGEST_PATH
            and "\0" not in word
            and (beside.is_file() or ("/" in word and beside.is_dir()))
        ):
            named[word] = _identity(beside)
    return files.digest([identity, named, _code(words, path.parent)])


def _surroundings(step: PlannedStep) -> dict[str, Any]:
    # A step is a whole command: what judges and reports counts as well as what builds.
    surroundings = {**dependencies.surroundings(), "edgerig": own_code(whole=True)}
    if step.words[0] in LINKING:
        surroundings["firmware"] = _identity(firmware_folder())
    return surroundings


def _identity(path: Path) -> str:
    return identity_of(entries_of(path))


def _is_there(word: str) -> bool:
    """Whether a word of a command is the absolute path of something that exists; a relative one is nothing in the
    empty folder in which a step runs."""
    return len(word) < LONGEST_PATH and "\0" not in word and Path(word).is_absolute() and Path(word).exists()


def _code(words: Sequence[str], folder: Path) -> dict[str, str | None]:
    """What the classes and modules of the user's depend on which a command names: SHA-256 of their source files and of
    the files that these name, by path relative to ``folder``, and the environment variables that they read."""
    modules = set(_modules(words, folder))
    if not modules:
        return {}
    with _importable(folder):
        paths = {path for module in modules for path in files_of(module)}
        variables = [variables_of_module(module) for module in modules]
    sums: dict[str, str | None] = {
        (str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name): files.sha256_file(path)
        for path in sorted(paths)
    }
    return sums | {f"${name}": value for each in variables for name, value in each.items()}


def _modules(words: Sequence[str], folder: Path) -> Iterator[str]:
    """Modules that words of a command name: of classes, ``module:Class``, and those that lie in ``folder``."""
    option = ""
    for word in words:
        value = word.partition("=")[2] or word
        match = _CLASS.search(word)
        if match is not None:
            yield match[1]
        elif _MODULE.fullmatch(value):
            top = folder / value.partition(".")[0]
            beside = top.with_suffix(".py").is_file() or (top / "__init__.py").is_file()
            if beside or _CUSTOM in (option, word.partition("=")[0].lstrip("-")):
                yield value
        option = word.lstrip("-")


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item)
            if key == _CUSTOM and isinstance(item, str):
                yield f"{key}={item}"
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
