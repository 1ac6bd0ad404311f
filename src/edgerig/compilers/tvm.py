"""ONNX to TVM's shared libraries: machine code for one processor."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from edgerig.artifact import Artifact
from edgerig.compilers.linking import linked, linker_for
from edgerig.compilers.machine_code import MachineCodeCompiler, MachineCodeSettings, failed, whole_model
from edgerig.datasets.base import Dataset
from edgerig.errors import UsageError
from edgerig.models.cpu_module import Bound, packed
from edgerig.progress import Progress

#: Architectures and systems of boards that LLVM has code for.
_TRIPLES = re.compile(r"(x86_64|i[3-6]86|aarch64|arm(v[678]\w*)?|riscv(32|64))-(\w+-)?linux-\w+$")


class Tvm(MachineCodeCompiler):
    """TVM's shared library of a network, for this machine's processor or another."""

    name = "tvm"
    summary = "TVM's shared library (.so): machine code for one processor, this machine's or an Arm board's"
    extra = "tvm"
    engine = "tvm"
    modules = ("tvm", "tvm_ffi", "onnx")
    makes = "tvm"

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        import tvm
        from tvm import relax
        from tvm.relax.frontend.onnx import from_onnx

        target = _target(self.settings)
        linker = linker_for(self.settings.triple if self.settings.abroad else None)
        model = whole_model(artifact, self.name)
        try:
            module = from_onnx(model, keep_params_in_input=False)
        except Exception as error:
            raise failed(f"TVM cannot import {artifact.name}", "", error) from error
        progress.log(f"{self.name} compiles {artifact.name} for {target.attrs['mcpu']}")
        try:
            with target:
                # Operators are fused, and what does not depend on the inputs is computed now.
                module = relax.get_pipeline("zero")(module)
            executable = tvm.compile(module, target)
        except Exception as error:
            raise failed(f"TVM cannot compile {artifact.name}", "", error) from error
        library = work / "network.so"
        executable.export_library(str(library), fcompile=lambda output, objects, **_: linked(linker, output, objects))
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

    processor = settings.processor
    cpu = str(codegen.llvm_get_system_cpu()) if processor == "host" else processor
    triple = settings.triple or _own_triple()
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
    return tvm.target.Target(_words(cpu, triple))


def _words(cpu: str, triple: str) -> dict[str, Any]:
    return {"kind": "llvm", "mtriple": triple, "mcpu": cpu, "num-cores": 1}
