"""The base class of compilers: artifact in, artifact out, checked."""

from __future__ import annotations

import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec

from edgerig import formats
from edgerig.artifact import Artifact, Origin
from edgerig.bounded import isolated, isolated_in
from edgerig.compilers.finite_weights import check_finite
from edgerig.compilers.result import describe, options_of, output_path, payload_of, read_back, versions_of
from edgerig.compilers.zeros import SPARSITY, zeros_record
from edgerig.datasets.base import Dataset, SplitName
from edgerig.environments import choice
from edgerig.environments.interpreter import Interpreter
from edgerig.errors import (
    ArtifactCheckError,
    CompileError,
    EdgerigError,
    IncompatibleError,
    UsageError,
    storing,
)
from edgerig.models.graph.types import Graph
from edgerig.plugins import Plugin, Settings
from edgerig.progress import Progress
from edgerig.tensors import ORIGINAL_SCHEMES
from edgerig.text import cause_of


class CompilerSettings(Settings, frozen=True, kw_only=True):
    """Settings that every compiler has."""

    python: Annotated[str | None, msgspec.Meta(description=choice.DESCRIPTION)] = None


class ModelCompiler(Plugin, ABC):
    """Artifact in, artifact out: convert, quantize, lower to C.

    Class attributes:
        takes: Names of formats it reads: ``"keras"``, ``"tflite"``, ``"onnx"``, or your own.
        makes: Name of the format it writes. One of your own is known once its class is: define or import the class
            (`edgerig.formats.Format`) in the compiler's module.
        scheme: The quantization scheme of what it writes: ``"float32"``, ``"float16"``, ``"dynamic"``, ``"int8"``,
            ``"int16x8"``; None where it keeps the scheme of its input.
        needs_dataset: Whether it calibrates or trains; of an instance, where that depends on its settings.
        splits: The splits of the dataset that it reads, where it needs one.
        after: The compiler that the engine runs first where the input does not have that compiler's output format yet.
        direct: Formats among ``takes`` that it reads itself, so that ``after`` is not run for them.
        changes_weights: Whether its network is meant to compute other numbers than its input, though both are float32.
        folder: Whether its output is the whole folder that it is given, with no other files in it.
    """

    takes: ClassVar[frozenset[str]]
    makes: ClassVar[str]
    scheme: ClassVar[str | None] = None
    needs_dataset: bool = False
    splits: ClassVar[tuple[SplitName, ...]] = ("train",)
    after: ClassVar[str | None] = None
    direct: ClassVar[frozenset[str]] = frozenset()
    folder: ClassVar[bool] = False
    changes_weights: ClassVar[bool] = False
    Settings: ClassVar[type[Settings]] = CompilerSettings

    def for_format(self, format: str) -> ModelCompiler:
        """The compiler, of the same settings, that does its work on networks of ``format``, where formats differ in
        engine or in what is made of them; by default itself."""
        return self

    def refuses(self, format: str, scheme: str) -> str | None:
        """Why an input of that format and scheme cannot be compiled, or None. Needs no engine and no file."""
        if format not in self.takes:
            return f"compiler {self.name!r} reads {' or '.join(sorted(self.takes))}, not {format}"
        return self._refuses(format, scheme)

    def refuses_after(self, tools: Sequence[str]) -> str | None:
        """Why a network that went through ``tools`` (names of compilers, first to last) cannot be compiled, or None:
        what one of them made of it would be lost."""
        return None

    def integer_ends(self) -> bool | None:
        """Whether an input or output of what it makes is of integers with a scale; None, as by default, where they
        are as before."""
        return None

    def refuses_integer_ends(self) -> str | None:
        """Why a network of which an input or output is of integers with a scale cannot be compiled, or None."""
        return None

    def compile(
        self, artifact: Artifact, out: Path, dataset: Dataset | None = None, progress: Progress | None = None
    ) -> Artifact:
        """Write the compiled file and its description to the folder ``out``; return its artifact, inspected.

        Raises:
            IncompatibleError: The input's format or scheme is refused.
            MissingExtraError: The engine is not installed.
            CompileError: The engine failed, or calibration data are not usable (NaN).
            ArtifactCheckError: The result is not in the declared scheme; names the tensor.
            StorageError: ``out`` cannot be written; nothing half-written is left.
        """
        progress = progress or Progress()
        own = self.for_format(artifact.format)
        if own is not self:
            return own.compile(artifact, out, dataset, progress)
        check_call(self, artifact, dataset)
        format = formats.named(self.makes)
        path = output_path(artifact, out, self.name, format, self.scheme)
        if path.resolve() == Path(artifact.path).resolve():
            raise UsageError(
                f"The compiled file would overwrite its input {path}.", "Choose another folder with --out."
            )
        started = time.perf_counter()
        with progress.task(f"compile {artifact.name} to {self.name}"):
            what = f"Compiling {Path(artifact.path).name} to {self.name}"
            interpreter = choice.interpreter_for(type(self), choice.python_of(self.settings))
            if interpreter is None:
                data, compiled, record = isolated(
                    what, CompileError, _compile_checked, self, artifact, path, dataset, progress
                )
            else:
                progress.log(f"{self.name} compiles in Python {interpreter.version}, {interpreter.prefix}")
                data, record = isolated_in(
                    interpreter, what, CompileError, _compile_there, self, artifact, dataset, progress
                )
                compiled, more = isolated(what, CompileError, _checked, self, artifact, path, data)
                record |= more
        origin = origin_of(self, artifact, dataset, time.perf_counter() - started, interpreter)
        origin = msgspec.structs.replace(origin, options={**origin.options, **record})
        stored = format.store(data, path)
        compiled = msgspec.structs.replace(compiled, path=str(stored), origins=(*artifact.origins, origin))
        compiled.save()
        _tell_zeros(compiled, progress)
        if self.needs_dataset and dataset is not None and dataset.task == "none":
            progress.log(
                f"{path.name} was calibrated on dataset {dataset.name!r}, whose numbers mean nothing: "
                "good for speed and size, not for accuracy"
            )
        return compiled

    def payload(self, compiled: Artifact, before: int) -> int:
        """Bytes that the compiled network takes on a device; ``before`` is the size of its input."""
        return compiled.size

    def of_machine(self) -> tuple[str, ...]:
        """What of this machine, besides its system and architecture, the output depends on with these settings: a part
        of the key under which it is cached, so that machines that share a cache do not get one another's."""
        return ()

    def _record(self) -> dict[str, Any]:
        """What the artifact's record of options holds besides the settings; asked for after `_compile`."""
        return {}

    def refuses_content(self, artifact: Artifact) -> str | None:
        """Why what the file holds cannot be compiled, or None: ``all`` then leaves the compiler out."""
        return None

    def _refuses(self, format: str, scheme: str) -> str | None:
        return None

    def _inspect(self, graph: Graph, data: bytes, scheme: str, file: str) -> None:
        """Raise `ArtifactCheckError` unless ``graph``, read from the bytes ``data``, is in ``scheme`` as declared."""
        from edgerig.compilers.checks import check_artifact

        check_artifact(graph, scheme, file)

    def _check(self, format: formats.Format, stored: Path) -> None:
        """Raise `ArtifactCheckError` unless the file's engine loads it; nothing to do where only a device could."""
        format.check(stored)

    @abstractmethod
    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes | Path:
        """The bytes of the compiled file; or, where the format has several, what was written: the first file or the
        folder. ``work`` is an empty folder that is removed afterwards."""


def check_call(compiler: ModelCompiler, artifact: Artifact, dataset: Dataset | None) -> None:
    """Refuse a call that cannot work, before anything is done.

    Raises:
        UsageError: The compiler calibrates and there is no dataset.
        IncompatibleError: The input's format or scheme is refused.
        MissingExtraError: The engine is not installed.
    """
    tools = [origin.tool for origin in artifact.origins]
    reason = compiler.refuses(artifact.format, artifact.scheme) or compiler.refuses_after(tools)
    if reason:
        raise IncompatibleError(f"{artifact.name} cannot be compiled: {reason}.")
    lacking = choice.missing(type(compiler), choice.python_of(compiler.settings))
    if lacking is not None:
        raise lacking
    if compiler.needs_dataset and dataset is None:
        raise UsageError(
            f"Compiler {compiler.name!r} needs samples, and there is no dataset.",
            "Name one, for example --dataset mnist.",
        )


def origin_of(
    compiler: ModelCompiler,
    artifact: Artifact,
    dataset: Dataset | None,
    seconds: float,
    interpreter: Interpreter | None = None,
) -> Origin:
    """The record of how ``compiler`` made an artifact from ``artifact``, in ``seconds``, in another ``interpreter``."""
    return Origin(
        tool=compiler.name,
        options=options_of(compiler.settings, dataset if compiler.needs_dataset else None),
        parent=artifact.sha256,
        versions=versions_of(compiler.modules, interpreter),
        seconds=round(seconds, 3),
    )


def _compile_checked(
    compiler: ModelCompiler, artifact: Artifact, path: Path, dataset: Dataset | None, progress: Progress
) -> tuple[bytes, Artifact, dict[str, Any]]:
    """The content of ``path``, inspected, its description, and what its record holds besides the settings."""
    data, record = _compile_there(compiler, artifact, dataset, progress)
    compiled, more = _checked(compiler, artifact, path, data)
    return data, compiled, record | more


def _compile_there(
    compiler: ModelCompiler, artifact: Artifact, dataset: Dataset | None, progress: Progress
) -> tuple[bytes, dict[str, Any]]:
    """What the compiler makes, and what its record holds besides the settings; where its engine is installed."""
    check_finite(artifact, compiler.scheme or "", compiler.name)
    format = formats.named(compiler.makes)
    with storing("temporary files"), tempfile.TemporaryDirectory(prefix="edgerig-compile-") as work:
        data = payload_of(_compile(compiler, artifact, Path(work), dataset, progress), compiler.name, format)
    return data, compiler._record()


def _checked(compiler: ModelCompiler, artifact: Artifact, path: Path, data: bytes) -> tuple[Artifact, dict[str, Any]]:
    """The description of what was compiled, and will be at ``path``, after it was read back and inspected; and what
    was counted in it for its record."""
    format, scheme = formats.named(compiler.makes), compiler.scheme or artifact.scheme
    with storing("temporary files"), tempfile.TemporaryDirectory(prefix="edgerig-check-") as work:
        stored = format.store(data, Path(work) / path.name)
        graph, specification = read_back(stored, compiler.name, format)
        if specification is not None and compiler.scheme is None and {scheme, specification.scheme} <= ORIGINAL_SCHEMES:
            # An engine may compute a float64 network in float32.
            scheme = specification.scheme
        if graph is not None:
            compiler._inspect(graph, data, scheme, path.name)
        elif specification is not None and specification.scheme != scheme:
            raise ArtifactCheckError(
                f"{path.name} should be {scheme} and is {specification.scheme}.",
                f"Compiler {compiler.name!r} found nothing, or not enough, that it quantizes: has the network "
                "convolutions, or products with constant weights, on real numbers? Take the file as it is.",
            )
        compiler._check(format, stored)
        record = zeros_record(artifact, graph, format, stored)
    return describe(artifact, path, data, format, scheme, specification), record


def _tell_zeros(compiled: Artifact, progress: Progress) -> None:
    """How many weights are 0 in a network that is or was pruned, and how many before. The file is named, as several of
    a chain may have the network's name."""
    origin, file = compiled.origins[-1], Path(compiled.path).name
    if origin.zero_weights is not None:
        before, after = origin.zero_weights
        lost = "; others were removed or are no longer 0" if after < before else ""
        progress.log(f"{file}: {after:.2%} of the weights are 0, {before:.2%} before it{lost}")
    elif SPARSITY in origin.options:
        progress.log(f"{file}: {origin.options[SPARSITY]:.2%} of the weights are 0")


def _compile(
    compiler: ModelCompiler, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress
) -> bytes | Path:
    try:
        return compiler._compile(artifact, work, dataset, progress)
    except (EdgerigError, OSError):
        raise
    except Exception as error:
        raise CompileError(
            f"Compiler {compiler.name!r} failed on {artifact.name}: {cause_of(error)}.",
            "Does the network use an operator that the compiler does not know? `edgerig --debug` shows the line.",
        ) from error
