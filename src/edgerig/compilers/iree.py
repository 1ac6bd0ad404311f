"""ONNX to IREE's modules: machine code for one processor."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import msgspec

from edgerig.artifact import Artifact
from edgerig.compilers.machine_code import MachineCodeCompiler, MachineCodeSettings, failed, native_words, whole_model
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError, UsageError
from edgerig.measure import cpu_features
from edgerig.models.cpu_module import Bound, Kernel, packed
from edgerig.models.iree_names import kernel_of
from edgerig.progress import Progress

#: The device that all code is for: a processor, without a driver.
DEVICE = ("--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu")
#: Leave out where a function comes from: names of temporary files would make equal networks differ.
_PLAIN = (
    "--iree-llvmcpu-debug-symbols=false", "--iree-vm-bytecode-module-strip-source-map=true",
    "--iree-hal-executable-debug-level=0",
)  # fmt: skip
#: Seconds in which IREE has told whether it knows a processor.
_PATIENCE = 60.0


class Iree(MachineCodeCompiler):
    """An IREE module of a network, for this machine's processor or another."""

    name = "iree"
    summary = "IREE's module (.vmfb): machine code for one processor, this machine's or an Arm board's"
    extra = "iree"
    engine = "iree"
    modules = ("iree.compiler", "onnx")
    makes = "iree"

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        import onnx
        from iree.compiler import version
        from iree.compiler.tools.import_onnx import __main__ as importer

        flags = self._flags()
        if self.settings.triple or self.settings.processor not in ("host", "generic"):
            _check_processor(flags, self.settings)
        source, assembly = work / "network.onnx", work / "network.mlir"
        onnx.save(whole_model(artifact, self.name), str(source))
        try:
            importer.main(importer.parse_arguments([str(source), "-o", str(assembly)]))
        except Exception as error:
            raise failed(f"IREE cannot import {artifact.name}", "", error) from error
        progress.log(f"{self.name} compiles {artifact.name} for {self.settings.processor}")
        module, executables = machine_code(assembly, work / "executables", flags, artifact.name)
        target = _target_of(executables)
        bound = Bound(
            engine=self.name,
            version=str(version.VERSION),
            triple=self.settings.triple or target.triple,
            cpu=target.cpu,
            features=target.features,
            scheme=artifact.scheme,
            function="main",
            bytes=len(module),
            inputs=artifact.inputs,
            outputs=artifact.outputs,
            kernels=target.kernels,
        )
        return packed(bound, module)

    def _flags(self) -> list[str]:
        triple = [f"--iree-llvmcpu-target-triple={self.settings.triple}"] if self.settings.triple else []
        return [*DEVICE, f"--iree-llvmcpu-target-cpu={self.settings.processor}", *triple]


class _Target(msgspec.Struct, frozen=True):
    """What IREE says that it has compiled for."""

    triple: str
    cpu: str
    features: tuple[str, ...]
    kernels: tuple[Kernel, ...]


def _check_processor(flags: list[str], settings: MachineCodeSettings) -> None:
    """Have a processor's name refused that LLVM does not know: compiling for it would end the process.

    Raises:
        UsageError: It is unknown.
    """
    from iree.compiler.tools.binaries import find_tool

    command = [find_tool("iree-compile"), *flags, "--compile-to=hal", "-", "-o", "-"]
    try:
        done = subprocess.run(
            command, input="module {}", capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise CompileError(f"IREE did not tell within {_PATIENCE:g} s whether it knows {settings.cpu!r}.") from None
    if done.returncode or re.search(r"Unknown CPU|not a recognized processor", done.stderr):
        names = re.search(r"List of accepted CPUs: (.*)", done.stderr)
        where = settings.triple or "this architecture"
        raise UsageError(
            f"IREE makes no code for the processor {settings.processor!r} of {where}.",
            f"Of that architecture it knows: {names[1].strip()}." if names else "Take LLVM's names of it, or generic.",
        )


def machine_code(assembly: Path, dump: Path, flags: list[str], name: str) -> tuple[bytes, str]:
    """The module, and the text of all executables within, with what they are compiled for.

    Raises:
        CompileError: IREE cannot compile it, in its own words.
    """
    from iree.compiler.api import Output, Session, Source

    with native_words() as words:
        try:
            session = Session()
            session.set_flags(*flags, *_PLAIN, f"--iree-hal-dump-executable-sources-to={dump}")
            invocation = session.invocation()
            invocation.enable_console_diagnostics()
            done = invocation.parse_source(Source.open_file(session, str(assembly))) and invocation.execute()
            module = b""
            if done:
                output = Output.open_membuffer()
                invocation.output_vm_bytecode(output)
                module = bytes(output.map_memory())
        except Exception as error:
            raise failed(f"IREE cannot compile {name}", "", error) from error
    if not module:
        raise failed(f"IREE cannot compile {name}", words())
    return module, "\n".join(path.read_text(errors="replace") for path in sorted(dump.glob("*.mlir")))


def _target_of(executables: str) -> _Target:
    """What the executables are compiled for; a network that computes nothing has none.

    Raises:
        CompileError: They differ, or do not tell.
    """
    targets = {
        (cpu, features) for cpu, features in re.findall(r'\{cpu = "([^"]*)", cpu_features = "([^"]*)"', executables)
    }
    triples = set(re.findall(r'target_triple = "([^"]*)"', executables))
    if len(targets) != 1 or len(triples) != 1:
        raise CompileError(
            "IREE does not tell for which processor it has compiled the network"
            + (": it has no operator that computes." if not executables else "."),
        )
    (cpu, features), (triple,) = targets.pop(), triples
    names = re.findall(r"hal\.executable\.export public @(\S+)", executables)
    kernels = tuple(kernel_of(name) for name in dict.fromkeys(names))
    return _Target(triple, cpu or "generic", cpu_features.signed(features), kernels)
