"""Full-integer TFLite for Coral's Edge TPU, by the vendor's program, where it is on this machine's PATH."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec

from edgerig.artifact import WARNING, Artifact
from edgerig.compilers.base import CompilerSettings, ModelCompiler
from edgerig.compilers.edgetpu_log import EdgeTpuLog, parse_log
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, CompileError, MissingProgramError, NotInstalledError
from edgerig.formats import Format
from edgerig.models.graph.types import Graph
from edgerig.plugins import Settings
from edgerig.progress import Progress
from edgerig.text import lines

PROGRAM = "edgetpu_compiler"
#: The operator that stands for a part of the network on the Edge TPU.
CUSTOM_OPERATOR = "edgetpu-custom-op"
#: Seconds beyond its own limit after which the program is ended.
_GRACE = 30.0
#: Seconds between two signs of life.
_SIGN_OF_LIFE = 5.0


class EdgeTpuSettings(CompilerSettings, frozen=True, kw_only=True):
    """Settings of the Edge TPU compiler."""

    seconds: Annotated[int, msgspec.Meta(description="longest time that the program may take", ge=1)] = 180
    search_delegate: Annotated[
        bool, msgspec.Meta(description="look for the largest part that it can compile, where the whole fails")
    ] = False
    min_runtime_version: Annotated[
        Annotated[int, msgspec.Meta(ge=10)] | None,
        msgspec.Meta(description="oldest runtime on the device that must load it"),
    ] = None


class EdgeTpu(ModelCompiler):
    """TFLite whose operators run on a Coral Edge TPU as far as it has them; the rest runs on the CPU."""

    name = "edgetpu"
    summary = "full-integer TFLite for Coral's Edge TPU, by the vendor's edgetpu_compiler"
    takes = frozenset({"tflite", "keras", "torch", "savedmodel"})
    makes = "tflite"
    scheme = "int8"
    after = "int8"
    Settings: ClassVar[type[Settings]] = EdgeTpuSettings
    settings: EdgeTpuSettings
    _log = EdgeTpuLog()

    @classmethod
    def missing(cls) -> NotInstalledError | None:
        if shutil.which(PROGRAM):
            return None
        return MissingProgramError(
            f"Compiler 'edgetpu' runs Coral's {PROGRAM}, which is not on this machine's PATH.",
            "Coral has it for Debian on x86-64: https://coral.ai/docs/edgetpu/compiler. It is no part of edgerig.",
        )

    def reads(self) -> tuple[Path, ...]:
        program = shutil.which(PROGRAM)
        return (Path(program),) if program else ()

    def _refuses(self, format: str, scheme: str) -> str | None:
        if format == self.makes and scheme != "int8":
            return f"an Edge TPU computes with 8-bit integers, and this is {scheme}: compile it --to int8 first"
        return None

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        source, out = work / "net.tflite", work / "out"
        source.write_bytes(artifact.read())
        out.mkdir()
        text = self._run(source, out, progress)
        self._log = parse_log(text)
        compiled = out / "net_edgetpu.tflite"
        if self._log.faults or not compiled.exists():
            raise CompileError(
                f"{PROGRAM} cannot compile {artifact.name}: {' '.join(self._log.faults) or lines(text, 500)}",
                "It takes what Coral's model requirements allow (https://coral.ai/docs/edgetpu/models-intro): full "
                "integers, fixed shapes, and known versions of operators.",
            )
        if self._log.warning:
            progress.log(f"(!) {artifact.name}: {self._log.warning}")
        return compiled.read_bytes()

    def _run(self, source: Path, out: Path, progress: Progress) -> str:
        """The program's output; whether it succeeded its log and its file tell."""
        settings = self.settings
        words = [PROGRAM, "--show_operations", "--timeout_sec", str(settings.seconds), "--out_dir", str(out)]
        words += ["--search_delegate"] if settings.search_delegate else []
        words += ["--min_runtime_version", str(settings.min_runtime_version)] if settings.min_runtime_version else []
        try:
            process = subprocess.Popen(
                [*words, str(source)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise CompileError(f"{PROGRAM} does not start: {error.strerror}.") from error
        try:
            return self._output(process, progress)
        finally:
            process.kill()
            process.wait()

    def _output(self, process: subprocess.Popen[str], progress: Progress) -> str:
        """What the program prints until it ends; that it is still at work is told every few seconds."""
        end = time.monotonic() + self.settings.seconds + _GRACE
        with progress.task(PROGRAM) as task:
            while time.monotonic() < end:
                try:
                    return process.communicate(timeout=_SIGN_OF_LIFE)[0]
                except subprocess.TimeoutExpired:
                    task.advance(0)
        raise CompileError(
            f"{PROGRAM} had not ended {_GRACE} s after its time of {self.settings.seconds} s.",
            "Give it longer: --option edgetpu.seconds=600.",
        )

    def _inspect(self, graph: Graph, data: bytes, scheme: str, file: str) -> None:
        """A file without a part for the Edge TPU is not what was asked for, whatever the program said."""
        if not any(operator.options.get("custom_code") == CUSTOM_OPERATOR for operator in graph.operators):
            raise ArtifactCheckError(
                f"{PROGRAM} mapped nothing of {file} to the Edge TPU: the network would run on the CPU alone.",
                "Its log says which operators it does not take: edgerig --debug.",
            )

    def _check(self, format: Format, stored: Path) -> None:
        """Only where there is an Edge TPU, its delegate has that operator."""

    def _record(self) -> dict[str, Any]:
        log = self._log
        measures = {
            "compiler_version": log.version,
            "operators_on_edgetpu": log.mapped,
            "operators_on_cpu": log.on_cpu,
            "left_on_cpu": {each.op: f"{each.count}: {each.status}" for each in log.left},
            "subgraphs": log.subgraphs,
            "parameters_cached": log.cached,
            "parameters_streamed": log.streamed,
            WARNING: log.warning,
        }
        return {name: value for name, value in measures.items() if value not in (None, "", {})}
