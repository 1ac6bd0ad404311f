"""The base class of formats of networks: suffixes, how files are read, hashed and sent, and the default runtime."""

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
from edgerig.formats.others import check_content
from edgerig.plugins import Plugin
from edgerig.tensors import TensorSpec
from edgerig.text import cause_of

Array = NDArray[Any]
#: Runs a network on a batch of its input, shape (n, ...), or on a list of these for several inputs, and returns each of
#: its outputs, shape (n, ...).
Predictor = Callable[[Any], Sequence[Array]]


class Specification(msgspec.Struct, frozen=True, kw_only=True):
    """What a network's files state about it.

    Attributes:
        inputs, outputs: Its tensors in the order in which runtimes take and return them, batch axis included.
        scheme: ``float32``, ``float64``, ``float16``, ``bfloat16``, ``dynamic``, ``int8`` or ``int16x8``.
        left_out: Outputs that are no tensors of numbers, as ``name: type``; they are neither read nor compared.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    scheme: str = "float32"
    left_out: tuple[str, ...] = ()


class Format(Plugin, ABC):
    """A kind of file, or of files, with a network. Subclasses declare its properties and implement reading.

    Class attributes:
        name: Its name in artifacts, compilers (``takes``, ``makes``) and runtimes (``formats``).
        suffixes: Suffixes of its files or folders, lower case, with the dot; new ones get the first.
        storage: ``"file"``: one file. ``"files"``: a file and those that `_files` names, all in one folder or below it.
            ``"folder"``: a folder with everything in it.
        runtime: The default runtime: a registered name, or ``package.module:Class``; None if there is none.
        compiler: The compiler that makes a deployable file of it, where no runtime loads it directly.
        is_model: Whether edgerig accepts it as a model; False where it is only an output, such as C code.
        free_axes: Whether its files may leave axes of inputs free; `_fix_axes` then sets them.
        isolated: Whether files are read in a process of its own: where a library that reads them may crash or take all
            memory on a damaged file.
        networks: Whether its files hold neural networks alone, never trees or other classical models.
        executable: Whether `_graph` returns the operators as they run, so that counting them gives a network's cost.
    """

    suffixes: ClassVar[tuple[str, ...]]
    storage: ClassVar[Literal["file", "files", "folder"]] = "file"
    runtime: ClassVar[str | None] = None
    compiler: ClassVar[str | None] = None
    is_model: ClassVar[bool] = True
    free_axes: ClassVar[bool] = False
    isolated: ClassVar[bool] = False
    networks: ClassVar[bool] = False
    executable: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            LOADED[f"{cls.__module__}:{cls.__qualname__}"] = cls

    # ---- called by edgerig

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
        if self.storage != "folder":
            self._check_content(path)
        return members

    def payload(self, path: Path) -> bytes:
        """The bytes that are hashed and sent: the content of the file, or several files in one, see `payload`.

        Called whenever an artifact is opened, compiled, copied into a bundle or sent to a device.

        Raises:
            ModelError: A file is missing, empty or cannot be read.
        """
        with self._reading(path):
            if self.storage == "file":
                self._check_content(path)
                return self._payload(path)
            root = path if self.storage == "folder" else path.parent
            return payload.pack((item.relative_to(root).as_posix(), item) for item in self.files(path))

    def size(self, data: bytes) -> int:
        """Bytes of all files of the network whose `payload` is ``data``."""
        return len(data) if self.storage == "file" else payload.content_size(data)

    def specification(self, path: Path) -> Specification | None:
        """What the file states about its inputs and outputs, see `_specification`."""
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
        """Check a network that a compiler made, see `_check`."""
        with self._reading(path):
            self._check(path)

    def details(self, path: Path) -> Mapping[str, str]:
        """Further information about the file, see `_details`."""
        with self._reading(path):
            return self._details(path)

    def fix_axes(self, data: bytes, shapes: Mapping[str, Sequence[int]], path: Path) -> bytes:
        """The payload ``data`` of the network ``path`` with free axes set, see `_fix_axes`."""
        with self._reading(path):
            return self._fix_axes(data, shapes, path)

    @property
    def predicts(self) -> bool:
        """Whether `predictor` is available."""
        return type(self)._predictor is not Format._predictor

    def predictor(self, path: Path) -> Predictor:
        """The network as a function of the framework that it comes from, see `_predictor`."""
        with self._reading(path):
            return self._predictor(path)

    def location(self, target: Path, main: str) -> Path:
        """The path to open for the network that `store` writes to ``target``; ``main`` is the name of the first of
        several files."""
        return target.with_suffix("") / main if self.storage == "files" else target

    def store(self, data: bytes, target: Path) -> Path:
        """Write the network whose `payload` is ``data`` to ``target`` atomically; returns its `location`.

        Several files keep their names, and go into a separate folder, named as ``target`` without its suffix.

        Raises:
            StorageError: It cannot be written. ModelError: ``data`` is no such payload.
            UsageError: A folder of that name exists and contains something else.
        """
        if self.storage == "file":
            files.write_bytes(target, data)
            return target
        return self._unpack(io.BytesIO(data), target)

    def receive(self, part: Path, target: Path) -> Path:
        """Like `store`, for a payload in the file ``part``, which is removed. Called on the device."""
        if self.storage == "file":
            part.replace(target)
            return target
        try:
            with part.open("rb") as stream:
                return self._unpack(stream, target)
        finally:
            part.unlink(missing_ok=True)

    # ---- for subclasses

    def _files(self, path: Path) -> Sequence[Path]:
        """For ``storage = "files"``: the files beside ``path`` that belong to it, always in the same order.

        Called for the payload, so for the hash, the bundle and what is sent.
        """
        return ()

    def _payload(self, path: Path) -> bytes:
        """For ``storage = "file"``: the payload, where it is not simply the content of the file."""
        data = path.read_bytes()
        if not data:
            raise ModelError(f"{path} is empty.", "Make or fetch it again.")
        return data

    def _specification(self, path: Path) -> Specification | None:
        """Inputs, outputs and scheme as the file states them, used to open it, to check a compiler's output and to
        plan a run. None (the default): they follow from `_graph`; where that is not available either, they must be in
        the description beside the file (``<file>.json``) or follow from the network that it was compiled from.
        """
        return None

    def _graph(self, path: Path) -> object | None:
        """The operators, as an `edgerig.models.graph.types.Graph`; None (the default) if they are not available.

        Called by ``edgerig inspect``, by the check of what a compiler made, and for parameters and MACs in the report.
        """
        return None

    def _weights(self, path: Path) -> Mapping[int, Array]:
        """The constants by tensor index of `_graph`. Called by `edgerig.models.graph.read_weights`."""
        raise ModelError(
            f"{path.name}: weights of the format {self.name!r} are not read.", "Convert it to TFLite first."
        )

    def _check(self, path: Path) -> None:
        """Raise `edgerig.errors.ArtifactCheckError` unless the file is valid beyond its operators: its engine must load
        it. Called for each network that a compiler made, before it is written.
        """

    def _details(self, path: Path) -> Mapping[str, str]:
        """Lines for ``edgerig inspect``, by their labels."""
        return {}

    def _fix_axes(self, data: bytes, shapes: Mapping[str, Sequence[int]], path: Path) -> bytes:
        """For ``free_axes``: the payload ``data`` with the ``shapes`` of inputs by name. Called for ``--shape``."""
        raise NotImplementedError

    def _predictor(self, path: Path) -> Predictor:
        """The network as a function, run by the framework that it comes from, for formats that no runtime loads.

        Called for the float predictions that deployed networks are compared with, in a separate process.
        """
        raise NotImplementedError

    # ---- internal

    @contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        """Turn any error of the plugin while it reads a file into one that names the file."""
        try:
            yield
        except (EdgerigError, MemoryError):
            raise
        except OSError as error:
            file = Path(error.filename or path)
            raise ModelError(
                f"Cannot read {file}: {error.strerror}.", files.hint_for_missing(file, "Is the path right?")
            ) from error
        except Exception as error:
            raise ModelError(
                f"{path.name} cannot be read as {self.name}: {cause_of(error)}.",
                "Is it complete, and of that format? Make or fetch it again.",
            ) from error

    def _check_content(self, path: Path) -> None:
        # Of a stranger's format nothing is known.
        if type(self).__module__.startswith("edgerig."):
            check_content(path, self.suffixes)

    def _check_member(self, item: Path, path: Path) -> None:
        """Check that a file of the network exists, and is inside its folder: no link may lead out of it."""
        root = path if self.storage == "folder" else path.parent
        if item != path and path.exists() and not item.exists():
            raise ModelError(
                f"{path.name} needs {item.name}, which is not there.",
                "All files of a network must lie beside it or below: copy them there.",
            )
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


#: Classes of formats that were defined so far, by ``module:Class``: a redefinition replaces the former class.
LOADED: dict[str, type[Format]] = {}
