"""ONNX to TVM's shared libraries: machine code for one processor."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec

from edgerig.artifact import Artifact
from edgerig.compilers.linking import linked, linker_for
from edgerig.compilers.machine_code import MachineCodeCompiler, MachineCodeSettings, failed, whole_model
from edgerig.compilers.tvm_candidates import NETWORK, TARGET, fused, imported
from edgerig.compilers.tvm_tuning import PATIENCE, record_of, searching, tell, tuned
from edgerig.datasets.base import Dataset
from edgerig.errors import UsageError
from edgerig.measure import cpu_features
from edgerig.models.cpu_module import Bound, packed
from edgerig.plugins import Settings
from edgerig.progress import Progress

#: Architectures and systems of boards that LLVM has code for.
_TRIPLES = re.compile(r"(x86_64|i[3-6]86|aarch64|arm(v[678]\w*)?|riscv(32|64))-(\w+-)?linux-\w+$")


class TvmSettings(MachineCodeSettings, frozen=True, kw_only=True):
    """Settings of TVM."""

    tune: Annotated[
        int,
        msgspec.Meta(
            description="seconds in which faster variants of the network's kernels are looked for, each timed on this "
            "machine; 0: none. What comes of it differs from time to time",
            ge=0,
            le=86400,
        ),
    ] = 0


class Tvm(MachineCodeCompiler):
    """TVM's shared library of a network, for this machine's processor or another."""

    name = "tvm"
    summary = "TVM's shared library (.so): machine code for one processor, this machine's or an Arm board's"
    extra = "tvm"
    engine = "tvm"
    modules = ("tvm", "tvm_ffi", "onnx")
    makes = "tvm"
    Settings: ClassVar[type[Settings]] = TvmSettings
    settings: TvmSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._tuning: dict[str, Any] = {}

    def of_machine(self) -> tuple[str, ...]:
        return cpu_features.this_processor() if self.settings.tune else super().of_machine()

    def _refuses(self, format: str, scheme: str) -> str | None:
        if self.settings.tune and self.settings.abroad:
            return (
                f"compiler 'tvm' tunes by timing code on this machine, and code for {self.settings.triple} cannot run "
                "here: leave `tune` out, or compile on a machine of that architecture"
            )
        return None

    def _record(self) -> dict[str, Any]:
        return {"tuning": self._tuning} if self._tuning else {}

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        import tvm

        target = _target(self.settings)
        linker = linker_for(self.settings.triple if self.settings.abroad else None)
        model = whole_model(artifact, self.name)
        try:
            module = imported(model)
        except Exception as error:
            raise failed(f"TVM cannot import {artifact.name}", "", error) from error
        progress.log(f"{self.name} compiles {artifact.name} for {target.attrs['mcpu']}")
        try:
            module = fused(module, target)
            executable = tvm.compile(module, target)
        except Exception as error:
            raise failed(f"TVM cannot compile {artifact.name}", "", error) from error
        library = work / "network.so"
        _link(executable, library, linker)
        if self.settings.tune:
            folder = work / "tuning"
            folder.mkdir()
            (folder / NETWORK).write_bytes(model.SerializeToString())
            library = self._tuned(module, target, folder, library, linker, artifact, progress)
        data = library.read_bytes()
        bound = Bound(
            engine=self.name,
            version=str(tvm.__version__),
            triple=self.settings.triple or _own_triple(),
            cpu=str(target.attrs["mcpu"]),
            features=tuple(sorted(str(name) for name in tvm.target.codegen.llvm_get_cpu_features(target))),
            scheme=artifact.scheme,
            function="main",
            bytes=len(data),
            inputs=artifact.inputs,
            outputs=artifact.outputs,
        )
        return packed(bound, data)

    def _tuned(
        self,
        module: Any,
        target: Any,
        folder: Path,
        untuned: Path,
        linker: Sequence[str],
        artifact: Artifact,
        progress: Progress,
    ) -> Path:
        """The library with the fastest kernels that were found in time; ``untuned`` where that is not faster or not
        the same network. ``folder`` has the network.

        Raises:
            UsageError: This processor lacks what the code is made for, so that nothing can be timed.
        """
        import tvm

        features = [str(name) for name in tvm.target.codegen.llvm_get_cpu_features(target)]
        missing = cpu_features.lacking(cpu_features.architecture(), features)
        if missing:
            raise UsageError(
                f"Code for {target.attrs['mcpu']} cannot be timed here: this processor lacks {', '.join(missing)}.",
                "Leave `tune` out, or compile on a machine with that processor.",
            )
        name, seconds = artifact.name, self.settings.tune
        (folder / TARGET).write_text(json.dumps(_words_of(self.settings)))
        with searching(folder) as search, progress.task(f"tune {name} for {seconds} s") as task:
            faster, kernels = tuned(module, seconds, search, task)
            library = untuned.with_name("tuned.so")
            # Its kernels are fused already; fused once more they would lose what was tuned.
            _link(tvm.compile(faster, target, relax_pipeline="default_build"), library, linker)
            inputs = [[list(spec.shape), spec.dtype] for spec in artifact.inputs]
            answer = search.ask(PATIENCE, do="networks", files=[str(untuned), str(library)], inputs=inputs)
        if "fault" in answer or not answer["equal"]:
            why = answer.get("fault", "computes something else")
            progress.log(f"(!) {name}: the tuned network {why}; it stays untuned")
            self._tuning = {"variants": sum(kernel.tried for kernel in kernels), "used": False, "fault": why}
            return untuned
        before, after = answer["seconds"]
        self._tuning = record_of(kernels, before, after, used=after < before)
        tell(self._tuning, name, progress)
        return library if after < before else untuned


def _link(executable: Any, library: Path, linker: Sequence[str]) -> None:
    executable.export_library(str(library), fcompile=lambda output, objects, **_: linked(linker, output, objects))


def _own_triple() -> str:
    from tvm.target import codegen

    return str(codegen.llvm_get_system_triple())


def _target(settings: MachineCodeSettings) -> Any:
    """TVM's target; of a processor that it does not know it would make code for another one.

    Raises:
        UsageError: It knows no such architecture or processor.
    """
    import tvm
    from tvm.target import codegen

    words = _words_of(settings)
    cpu, triple = words["mcpu"], words["mtriple"]
    # Another triple would end the process.
    if not _TRIPLES.match(triple):
        raise UsageError(
            f"TVM makes no code for {triple}.", "Name it as compilers do: aarch64-linux-gnu, armv7l-linux-gnueabihf."
        )
    known: tuple[str, ...] = ()
    try:
        known = tuple(str(name) for name in codegen.llvm_get_cpu_archlist(tvm.target.Target(_words("generic", triple))))
    except Exception as error:
        raise UsageError(f"TVM makes no code for {triple}: {failed('it says', '', error).message}") from error
    if cpu not in ("generic", *known):
        raise UsageError(
            f"TVM makes no code for the processor {cpu!r} of {triple}.",
            f"Of that architecture it knows: {', '.join(sorted(known))}." if known else "Take LLVM's names of it.",
        )
    return tvm.target.Target(words)


def _words_of(settings: MachineCodeSettings) -> dict[str, Any]:
    """The words of the target that the settings name."""
    from tvm.target import codegen

    processor = settings.processor
    cpu = str(codegen.llvm_get_system_cpu()) if processor == "host" else processor
    return _words(cpu, settings.triple or _own_triple())


def _words(cpu: str, triple: str) -> dict[str, Any]:
    return {"kind": "llvm", "mtriple": triple, "mcpu": cpu, "num-cores": 1}
