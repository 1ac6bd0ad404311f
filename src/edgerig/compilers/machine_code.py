"""What compilers of ONNX to machine code have in common: for which processor, and a network without free axes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar

import msgspec

from edgerig.artifact import Artifact
from edgerig.bounded.stderr import captured_stderr
from edgerig.compilers.base import CompilerSettings, ModelCompiler
from edgerig.errors import CompileError, IncompatibleError
from edgerig.measure import cpu_features
from edgerig.plugins import Settings

#: Characters of an engine's words that an error quotes.
_LONGEST = 500


class MachineCodeSettings(CompilerSettings, frozen=True, kw_only=True):
    """For which processor code is made."""

    cpu: Annotated[
        str,
        msgspec.Meta(
            description="processor that the code is for, by LLVM's name, such as cortex-a72; host: this machine's; "
            "generic: the least of the architecture, which may be several times slower",
            min_length=1,
            pattern=r"^[A-Za-z0-9_.+-]+$",
        ),
    ] = "host"
    triple: Annotated[
        Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.]+(-[A-Za-z0-9_.]+)+$")] | None,
        msgspec.Meta(
            description="architecture and system of another machine, such as aarch64-linux-gnu; null: this machine's. "
            "`cpu` is generic then, unless it is named"
        ),
    ] = None

    @property
    def processor(self) -> str:
        """``cpu``, with `host` meaning the least of the architecture where that is another one."""
        return "generic" if self.cpu == "host" and self.abroad else self.cpu

    @property
    def abroad(self) -> bool:
        """Whether the code is for another architecture than this machine's."""
        return self.triple is not None and cpu_features.architecture(self.triple) != cpu_features.architecture()


class MachineCodeCompiler(ModelCompiler):
    """A compiler of ONNX to machine code for one processor."""

    takes = frozenset({"onnx"})
    after = "onnx"
    Settings: ClassVar[type[Settings]] = MachineCodeSettings
    settings: MachineCodeSettings

    def of_machine(self) -> tuple[str, ...]:
        return cpu_features.this_processor() if self.settings.processor == "host" else ()


def whole_model(artifact: Artifact, compiler: str) -> Any:
    """The network as ``onnx.ModelProto``, free axes set to the artifact's, its graph called ``main``.

    Raises:
        IncompatibleError: An axis behind the batch is free, or an output is no tensor of numbers.
        ModelError: The file is gone, changed or damaged.
    """
    import onnx

    from edgerig.models.graph.onnx_shapes import fix_free_axes

    for spec in artifact.inputs:
        if any(size < 0 for size in spec.shape):
            raise IncompatibleError(
                f"Compiler {compiler!r} makes code for fixed shapes; the input {spec.name!r} has {list(spec.shape)}.",
                f"Say the shape: --shape {spec.name}=1,... with a number for each axis.",
            )
    if artifact.left_out:
        raise IncompatibleError(
            f"Compiler {compiler!r} makes code for tensors of numbers, and {artifact.name} has {artifact.left_out[0]}.",
            "Export the network without that output.",
        )
    model = onnx.load_model_from_string(artifact.read())
    fix_free_axes(model.graph)
    model.graph.name = "main"
    return model


@contextmanager
def native_words() -> Iterator[Callable[[], str]]:
    """What native code writes to file descriptor 2 within the block, by the function.

    Where that is a file already, as in a bounded process, it is left there: of a process that dies they are the last
    words.
    """
    if not stat.S_ISREG(os.fstat(2).st_mode):
        with captured_stderr() as text:
            yield text
        return
    begin = os.fstat(2).st_size

    def words() -> str:
        with open(f"/proc/self/fd/{2}", "rb") as file:  # noqa: PTH123 - not a path of anybody's
            file.seek(begin)
            return file.read().decode(errors="replace")

    yield words


def failed(what: str, words: str, error: Exception | None = None) -> CompileError:
    """The error of an engine that cannot compile, with the first of its words that say why."""
    lines = [line.strip() for line in f"{words}\n{error or ''}".splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)] or lines[-2:]
    text = re.sub(r"^\S*:\d+:\d+: ", "", telling[0]) if telling else "it does not say why"
    return CompileError(
        f"{what}: {text[:_LONGEST]}", "Does the network use an operator that the compiler does not know?"
    )
