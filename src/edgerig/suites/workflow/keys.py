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
from edgerig.plugin_code import own_code, sources_of
from edgerig.rig.document import read_document
from edgerig.suites.workflow.contents import entries_of, identity_of
from edgerig.suites.workflow.types import PlannedStep

_CLASS = re.compile(r"(?:^|=)([A-Za-z_][\w.]*):[A-Za-z_]\w*$")
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

    Of a rig file that is also the content of the files and of the code of classes that it names.

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


def _code(words: Sequence[str], folder: Path) -> dict[str, str]:
    """SHA-256 of the source files of classes that are named as ``module:Class``, by path relative to ``folder``."""
    modules = {match[1] for word in words if (match := _CLASS.search(word)) is not None}
    if not modules:
        return {}
    with _importable(folder):
        sources = {source for module in modules for source in sources_of(module)}
    return {
        (str(source.relative_to(folder)) if source.is_relative_to(folder) else source.name): files.sha256_file(source)
        for source in sorted(sources)
    }


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
