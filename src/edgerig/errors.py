"""Every error that edgerig raises on purpose.

::

    EdgerigError                 something went wrong; exit code 1
    |-- UsageError               the call or the rig file is wrong; exit code 2
    |   |-- SpecError            a rig file or a setting is not valid
    |   |-- UnknownNameError     no plugin or key of that name; names the nearest one
    |   |-- NotInstalledError    something that is needed is not on this machine
    |   |   |-- MissingExtraError    an optional engine; names the pip command
    |   |   `-- MissingProgramError  a program of the system
    |   |-- IncompatibleError    two parts that cannot work together, with the reason
    |   `-- RequestError         tensors that a served network cannot take
    |-- DatasetError             samples, labels or their source are not usable; exit code 2
    |   `-- SourceError          a file could not be had or has the wrong checksum; exit code 1: later it may be
    |-- ModelError               a model file is missing, corrupt, or not what it claims to be; exit code 2
    |-- PluginError              the code of somebody's plugin raised what no class of this tree is
    |-- CompileError             a compiler could not make the artifact
    |   `-- ArtifactCheckError   the artifact is not what was asked for; names the tensor
    |-- InferenceError           a runtime refused or failed to run a network
    |-- EngineError              an engine, or the interpreter that it is to run in, cannot be used or installed
    |-- TargetError              a device is not there, or went away, or answered nonsense
    |   |-- WireError            bytes on the wire that are no valid message
    |   |-- LeaseError           another run owns the device
    |   `-- AnswerError          a device refuses a request, or answers what cannot be: asking again does not help
    |-- Overloaded               a served network has too much to do, or stops; later it may answer
    |-- StorageError             a folder or file could not be written
    |   |-- NoBundleError        a folder that is named as a bundle is none; exit code 2
    |   `-- StoreError           a store of datasets is not there, or refuses
    |       |-- NoDatasetError       there is no dataset, no version or no folder of that name in it; exit code 2
    |       |-- DamagedObjectError   an object in it is not what its name says
    |       `-- ConflictError        another writer has changed the same entries of a dataset
    `-- Interrupted              stopped by the user; what was finished is kept; exit code 130

Each carries a ``message`` (what is wrong) and, where there is one, a ``hint`` (how to mend it).
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgerig.install import install_command

#: In what is unknown: the name of something else, or "of", "in".
_LONG_NOUN = re.compile(r"'| (?:of|in) ")
#: Fewest letters of a name's beginning that stand for it.
_BEGINNING = 3

#: What to do with a folder that was named as a dataset.
FOLDER_OF_PICTURES = (
    "Where it holds a folder of pictures for each class, take --dataset folder --dataset-root '{0}', in a rig file "
    "{{use: folder, root: '{0}'}}; with masks or boxes use segments or coco."
)


class EdgerigError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: What is wrong, in one sentence.
        hint: What the user can do about it.

    Attributes:
        bundle: The folder with the results of a run that failed only in part; None where there is none.
    """

    exit_code = 1
    bundle: str | None = None

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(EdgerigError):
    """The call itself is wrong."""

    exit_code = 2


class SpecError(UsageError):
    """A rig file or a setting is not valid."""


class UnknownNameError(UsageError):
    """Nothing is known under that name.

    Args:
        what: The noun, such as ``"dataset"`` or ``"key in 'dataset'"``.
        name: The unknown name.
        known: The valid names.
    """

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        self.what, self.name, self.known = what, name, sorted(known)
        near = nearest(name, self.known)
        known_text = f"Known: {', '.join(self.known)}." if self.known else "There are none: leave it out."
        hint = f"Did you mean {near!r}? {known_text}" if near else known_text
        # Of a noun that names what it is part of, "setting of dataset 'random'", the name that is wrong stands apart.
        apart = ":" if _LONG_NOUN.search(what) and not what.endswith(":") else ""
        super().__init__(f"Unknown {what}{apart} {name!r}.", hint)


def unknown_plugin(noun: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error that no plugin of a noun has a name, with what to do where that is a folder of pictures."""
    error = UnknownNameError(noun, name, known)
    if noun == "dataset" and Path(name).is_dir():
        error.hint = FOLDER_OF_PICTURES.format(name)
    return error


class NotInstalledError(UsageError):
    """A requirement of a part of edgerig is not installed on this machine."""


class MissingProgramError(NotInstalledError):
    """A system program is not installed, such as a C compiler."""


class MissingExtraError(NotInstalledError):
    """An optional engine is not installed.

    Args:
        what: The part that needs it, such as ``"runtime 'onnxruntime'"``.
        extra: The extra that installs it, such as ``"onnx"``; empty where none does.
        package: The module that could not be imported.
        engine: The engine that an environment of its own can be made for, if it is one.
        packages: What pip installs to bring it, where no extra does and that is known.
    """

    def __init__(
        self, what: str, extra: str, package: str, engine: str | None = None, packages: tuple[str, ...] = ()
    ) -> None:
        self.what, self.extra, self.package, self.engine, self.packages = what, extra, package, engine, packages
        if extra:
            beside = install_command(extra)
        elif packages:
            beside = f"pip install {' '.join(packages)}"
        else:
            beside = f"Install the package that brings the module {package}, with pip, beside edgerig."
        hint = f"edgerig engines install {engine}, in an environment of its own; or beside edgerig: {beside}"
        super().__init__(f"{what} needs {package}, which is not installed.", hint if engine else beside)

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str, str | None, tuple[str, ...]]]:
        return type(self), (self.what, self.extra, self.package, self.engine, self.packages)


class IncompatibleError(UsageError):
    """Two parts that cannot work together."""


class RequestError(UsageError):
    """A request to a served network has other tensors than it takes."""


class DatasetError(EdgerigError):
    """Samples or labels are not usable."""

    exit_code = 2


class SourceError(DatasetError):
    """A file is not available, or is not the expected one."""

    exit_code = 1


class ModelError(EdgerigError):
    """A model file is missing, corrupt, or not what it claims to be."""

    exit_code = 2


class PluginError(EdgerigError):
    """The code of a plugin that is not edgerig's raised something else than an error of this module."""


class CompileError(EdgerigError):
    """A compiler could not make the artifact."""


class EngineError(EdgerigError):
    """An engine, or the Python interpreter that it is to run in, cannot be used or installed."""


class ArtifactCheckError(CompileError):
    """The artifact is not in the declared scheme."""


class InferenceError(EdgerigError):
    """A runtime refused a network or failed while running it."""


class TargetError(EdgerigError):
    """A device is not there, went away, or answered nonsense."""


class WireError(TargetError):
    """Bytes on the wire that are not a valid message."""


class LeaseError(TargetError):
    """Another run owns the device.

    Args:
        retry_after: Seconds after which it may be free; None if this run held it and lost it.
    """

    def __init__(self, message: str, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class AnswerError(TargetError):
    """A device that is there refuses a request or gives an impossible answer; asking again does not help."""


class Overloaded(EdgerigError):  # noqa: N818 - it is a state, not a fault
    """A served network cannot take another request now: as many as its queue holds are waiting, or it stops."""


class StorageError(EdgerigError):
    """A folder or file could not be read or written."""


class NoBundleError(StorageError):
    """A folder that is named as a bundle is none."""

    exit_code = 2


class StoreError(StorageError):
    """A store of datasets is not there, refuses, or lacks what is asked of it."""


class NoDatasetError(StoreError):
    """A store has no dataset of that name, no such version of it, or is a folder that is not there."""

    exit_code = 2


class DamagedObjectError(StoreError):
    """An object of a store is truncated, changed, or missing though a version of a dataset names it."""


class ConflictError(StoreError):
    """Another writer has committed other values for the same entries of a dataset.

    Args:
        conflicts: What each of the two writers says, an entry a line.
    """

    def __init__(self, message: str, hint: str | None = None, conflicts: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.conflicts = conflicts


class Interrupted(EdgerigError):  # noqa: N818 - it is a request, not a fault
    """Stopped by the user; what was finished is kept."""

    exit_code = 130


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The only known name that begins with ``name``, else the most similar one, None where none is; case counts little.

    >>> nearest("litter", ["litert", "onnxruntime"]), nearest("onnx", ["litert", "onnxruntime"])
    ('litert', 'onnxruntime')
    >>> nearest("cortex-m0", ["cortex-m0plus", "cortex-m7"])
    'cortex-m0plus'
    """
    import difflib

    names = list(known)
    longer = [other for other in names if len(name) >= _BEGINNING and other.lower().startswith(name.lower())]
    if len(longer) == 1:
        return longer[0]
    lowered = {other.lower(): other for other in reversed(names)}
    matches = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    return lowered[matches[0]] if matches else None


class ForeignTraceback(Exception):  # noqa: N818 - shown as the cause of an error, never raised
    """The traceback of an error in another process, as text: the ``__cause__`` of the error raised here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def foreign_trace(error: BaseException) -> str | None:
    """The traceback of ``error`` for whoever looks for its cause in code: None of an error that was raised on purpose
    and whose causes were, too, and of what the system refused, such as a file that is not there."""
    cause: BaseException | None = error
    while isinstance(cause, EdgerigError):
        cause = cause.__cause__
    refused = isinstance(cause, OSError) and cause.errno is not None
    return None if cause is None or refused else "".join(traceback.format_exception(error))


@contextmanager
def storing(what: object, choice: str = "--out, or EDGERIG_CACHE for the cache") -> Iterator[None]:
    """Turn an `OSError` of writing ``what`` into a `StorageError` with advice: the ``choice`` of another folder."""
    import errno

    advice = {
        errno.ENOSPC: "The disk is full; free some space, or choose another folder",
        errno.EDQUOT: "Your disk quota is used up; free some space, or choose another folder",
        errno.EACCES: "You may not write there; choose another folder",
        errno.EROFS: "That file system is read-only; choose another folder",
    }
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"Could not write {what}: {error.strerror or error}.",
            f"{advice.get(error.errno or 0, 'Choose another folder')}: {choice}.",
        ) from error
