"""What a format of networks is: its suffixes, how its files are read, hashed and sent, and what usually runs them."""

from __future__ import annotations

import io
from abc import ABC
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal

import msgspec
from numpy.typing import NDArray

from edgerig import files
from edgerig.errors import EdgerigError, ModelError
from edgerig.formats import payload
from edgerig.plugins import Plugin
from edgerig.tensors import TensorSpec

Array = NDArray[Any]
#: Runs a network on a batch of its input, shape (n, ...), and returns each of its outputs, shape (n, ...).
Predictor = Callable[[Array], Sequence[Array]]


class Specification(msgspec.Struct, frozen=True, kw_only=True):
    """What a network's files say of it.

    Attributes:
        inputs, outputs: Its tensors in the order in which runtimes take and give them, batch axis included.
        scheme: ``float32``, ``float16``, ``dynamic``, ``int8`` or ``int16x8``.
        left_out: Outputs that are no tensors of numbers, as ``name: type``; they are neither read nor compared.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    scheme: str = "float32"
    left_out: tuple[str, ...] = ()


class Format(Plugin, ABC):
    """A kind of file, or of files, that holds a network. Subclasses declare what it is and fill in how it is read.

    Class attributes:
        name: What artifacts, compilers (``takes``, ``makes``) and runtimes (``formats``) call it.
        suffixes: What its files or folders end in, lower case, with the dot; new ones end in the first.
        storage: ``"file"``: one file. ``"files"``: a file and those that `_files` names, all in one folder or below it.
            ``"folder"``: a folder with everything in it.
        runtime: The runtime that usually runs it: a registered name, or ``package.module:Class``. None if none does.
        compiler: The compiler that first makes of it what a runtime takes, where no runtime takes it as it is.
        is_model: Whether a network in it can be given to edgerig; not so where it is only made, such as C code.
        free_axes: Whether its files may leave axes of inputs free; `_fix_axes` then sets them.
        isolated: Whether files are read in a process of its own: where a library that reads them may crash or take all
            memory on a damaged file.
        executable: Whether `_graph` gives the operators as they run, so that counting them tells what a network costs.
    """

    suffixes: ClassVar[tuple[str, ...]]
    storage: ClassVar[Literal["file", "files", "folder"]] = "file"
    runtime: ClassVar[str | None] = None
    compiler: ClassVar[str | None] = None
    is_model: ClassVar[bool] = True
    free_axes: ClassVar[bool] = False
    isolated: ClassVar[bool] = False
    executable: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            LOADED[f"{cls.__module__}:{cls.__qualname__}"] = cls

    # ---- what edgerig calls

    def files(self, path: Path) -> tuple[Path, ...]:
        """All files of the network ``path``, itself first where it is a file; of a folder those within, sorted.

        Raises:
            ModelError: There is no such file or folder, or `_files` names one that is missing or lies elsewhere.
        """
        with self._reading(path):
            if self.storage == "folder":
                if path.is_file():
                    raise ModelError(f"{path.name} is a file; a network of the format {self.name!r} is a folder.")
                members = tuple(sorted(item for item in path.rglob("*") if not item.is_dir()))
                if not members:
                    raise ModelError(f"{path} is no folder with a network in it.", "Is the path right?")
            else:
                members = (path, *self._files(path)) if self.storage == "files" else (path,)
            for item in members:
                self._check_member(item, path)
        return members

    def payload(self, path: Path) -> bytes:
        """What is hashed and travels, whole: the content of the file, or several files in one, see `payload`.

        Called whenever an artifact is opened, compiled, copied into a bundle or sent to a device.

        Raises:
            ModelError: A file is missing, empty or cannot be read.
        """
        with self._reading(path):
            if self.storage == "file":
                return self._payload(path)
            root = path if self.storage == "folder" else path.parent
            return payload.pack((item.relative_to(root).as_posix(), item) for item in self.files(path))

    def size(self, data: bytes) -> int:
        """Bytes of all files of the network whose `payload` is ``data``."""
        return len(data) if self.storage == "file" else payload.content_size(data)

    def specification(self, path: Path) -> Specification | None:
        """What the file says of its inputs and outputs, see `_specification`."""
        with self._reading(path):
            return self._specification(path)

    def graph(self, path: Path) -> object | None:
        """The operators of the network, see `_graph`."""
        with self._reading(path):
            return self._graph(path)

    def weights(self, path: Path) -> Mapping[int, Array]:
        """The constants of the network, see `_weights`."""
        with self._reading(path):
            return self._weights(path)

    def check(self, path: Path) -> None:
        """See that a network that a compiler made is sound, see `_check`."""
        with self._reading(path):
            self._check(path)

    def details(self, path: Path) -> Mapping[str, str]:
        """What else is worth knowing about the file, see `_details`."""
        with self._reading(path):
            return self._details(path)

    def fix_axes(self, data: bytes, shapes: Mapping[str, Sequence[int]], path: Path) -> bytes:
        """The payload ``data`` of the network ``path`` with free axes set, see `_fix_axes`."""
        with self._reading(path):
            return self._fix_axes(data, shapes, path)

    @property
    def predicts(self) -> bool:
        """Whether `predictor` gives something."""
        return type(self)._predictor is not Format._predictor

    def predictor(self, path: Path) -> Predictor:
        """The network as a function of the framework that it comes from, see `_predictor`."""
        with self._reading(path):
            return self._predictor(path)

    def location(self, target: Path, main: str) -> Path:
        """Where the network is opened that `store` writes to ``target``; ``main`` is the name of the first of several
        files."""
        return target.with_suffix("") / main if self.storage == "files" else target

    def store(self, data: bytes, target: Path) -> Path:
        """Write the network whose `payload` is ``data`` to ``target``, whole or not at all; returns its `location`.

        Several files keep their names, and go into a folder of their own, named as ``target`` without its suffix.

        Raises:
            StorageError: It cannot be written. ModelError: ``data`` are no such payload.
            UsageError: A folder of that name is there and holds something else.
        """
        if self.storage == "file":
            files.write_bytes(target, data)
            return target
        return self._unpack(io.BytesIO(data), target)

    def receive(self, part: Path, target: Path) -> Path:
        """As `store`, of a payload that lies in the file ``part``, which is then gone. Called on the device."""
        if self.storage == "file":
            part.replace(target)
            return target
        try:
            with part.open("rb") as stream:
                return self._unpack(stream, target)
        finally:
            part.unlink(missing_ok=True)

    # ---- what a subclass fills in

    def _files(self, path: Path) -> Sequence[Path]:
        """Of ``storage = "files"``: the files beside ``path`` that belong to it, in the same order each time.

        Called for the payload, so for the hash, the bundle and what is sent.
        """
        return ()

    def _payload(self, path: Path) -> bytes:
        """Of ``storage = "file"``: what travels, where that is not simply the content of the file."""
        data = path.read_bytes()
        if not data:
            raise ModelError(f"{path} is empty.", "Make or fetch it again.")
        return data

    def _specification(self, path: Path) -> Specification | None:
        """Inputs, outputs and scheme as the file says them, such as to open it, to check what a compiler made and to
        plan a run. None (the default): they follow from `_graph`; where that gives nothing either, the description
        beside the file (``<file>.json``) or the network that it was compiled from must tell them.
        """
        return None

    def _graph(self, path: Path) -> object | None:
        """The operators, as an `edgerig.models.graph.types.Graph`; None (the default) if they are not to be had.

        Called by ``edgerig inspect``, by the check of what a compiler made, and for parameters and MACs in the report.
        """
        return None

    def _weights(self, path: Path) -> Mapping[int, Array]:
        """The constants by tensor index of `_graph`. Called by `edgerig.models.graph.read_weights`."""
        raise ModelError(
            f"{path.name}: weights of the format {self.name!r} are not read.", "Convert it to TFLite first."
        )

    def _check(self, path: Path) -> None:
        """Raise `edgerig.errors.ArtifactCheckError` unless the file is sound beyond what its operators show: that its
        engine takes it. Called of each network that a compiler made, before it is written.
        """

    def _details(self, path: Path) -> Mapping[str, str]:
        """Lines for ``edgerig inspect``, by what they are about."""
        return {}

    def _fix_axes(self, data: bytes, shapes: Mapping[str, Sequence[int]], path: Path) -> bytes:
        """Of ``free_axes``: the payload ``data`` with the ``shapes`` of inputs by name. Called for ``--shape``."""
        raise NotImplementedError

    def _predictor(self, path: Path) -> Predictor:
        """The network as a function, run by the framework that it comes from, for formats that no runtime takes.

        Called for the float predictions that deployed networks are compared with, in a process of its own.
        """
        raise NotImplementedError

    # ---- within

    @contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        """What goes wrong with a file, whatever the plugin raises, as an error that names the file."""
        try:
            yield
        except (EdgerigError, MemoryError):
            raise
        except OSError as error:
            raise ModelError(
                f"Cannot read {error.filename or path}: {error.strerror}.", "Is the path right?"
            ) from error
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ModelError(
                f"{path.name} cannot be read as {self.name}: {lines[0][:300].rstrip('.')}.",
                "Is it complete, and of that format? Make or fetch it again.",
            ) from error

    def _check_member(self, item: Path, path: Path) -> None:
        """See that a file of the network is there, and lies where it can travel from: no link out of the folder."""
        root = path if self.storage == "folder" else path.parent
        item.stat()
        if not item.is_file():
            raise ModelError(f"{item} is no file, and a network of the format {self.name!r} needs one.")
        if item != path and not item.resolve().is_relative_to(root.resolve()):
            raise ModelError(
                f"{path.name} needs {item}, which does not lie in its folder.",
                "All files of a network must lie beside it or below: copy them there.",
            )

    def _unpack(self, stream: BinaryIO, target: Path) -> Path:
        folder = target if self.storage == "folder" else target.with_suffix("")
        entries = payload.unpack(stream, folder)
        return self.location(target, entries[0].name)


#: Classes of formats that were defined so far, by ``module:Class``: one that is defined anew replaces the one before.
LOADED: dict[str, type[Format]] = {}
