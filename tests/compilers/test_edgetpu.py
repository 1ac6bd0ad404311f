"""The Edge TPU compiler: its log is parsed, a network that is not mapped is refused, and a missing program is named.

The vendor's program cannot be had for tests. Logs are those that its versions 14 to 16 print, as Coral documents them;
the stand-in below prints such a log and writes a file with the vendor's operator, and nothing more: that real networks
run on an Edge TPU is not shown here.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from edgerig.artifact import Artifact
from edgerig.compilers.edgetpu import CUSTOM_OPERATOR, PROGRAM, EdgeTpu
from edgerig.compilers.edgetpu_log import Operators, parse_log
from edgerig.engine.rounds.figures import _compiler_warnings
from edgerig.errors import ArtifactCheckError, CompileError, IncompatibleError, InferenceError, MissingProgramError
from edgerig.models.files import open_artifact
from edgerig.progress import Progress
from edgerig.runtimes.litert import LiteRt
from edgerig.testing.networks.tflite_builder import TfliteBuilder

HEAD = """Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.
"""
WHOLE = f"""{HEAD}
Model compiled successfully in 1045 ms.

Input model: net.tflite
Input size: 3.89MiB
Output model: net_edgetpu.tflite
Output size: 4.20MiB
On-chip memory used for caching model parameters: 3.67MiB
On-chip memory remaining for caching model parameters: 2.82MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 72
Operation log: net_edgetpu.log

Operator                       Count      Status

ADD                            10         Mapped to Edge TPU
CONV_2D                        36         Mapped to Edge TPU
Compilation child process completed within timeout period.
Compilation succeeded!
"""
LIMITED = "Operation is otherwise supported, but not mapped due to some unspecified limitation"
PARTLY = f"""{HEAD}
Model compiled successfully in 345 ms.

Input model: net.tflite
Input size: 8.01MiB
Output model: net_edgetpu.tflite
Output size: 8.40MiB
On-chip memory used for caching model parameters: 6.00MiB
On-chip memory remaining for caching model parameters: 1.50KiB
Off-chip memory used for streaming uncached model parameters: 1.25KiB
Number of Edge TPU subgraphs: 2
Total number of operations: 5
Operation log: net_edgetpu.log

Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of the model will \
instead run on the CPU, which is slower. For details, visit g.co/coral/model-reqs.
Number of operations that will run on Edge TPU: 3
Number of operations that will run on CPU: 2

Operator                       Count      Status

CONV_2D                        3          Mapped to Edge TPU
RESIZE_BILINEAR                1          {LIMITED}
ARG_MAX                        1          Operation not supported

Compilation child process completed within timeout period.
Compilation succeeded!
"""
REFUSED = f"""{HEAD}ERROR: Didn't find op for builtin opcode 'CONV_2D' version '5'

Invalid model: net.tflite
Model could not be parsed
"""


def test_a_network_that_is_mapped_as_a_whole() -> None:
    log = parse_log(WHOLE)
    assert (log.version, log.mapped, log.on_cpu, log.subgraphs) == ("16.0.384591198", 72, 0, 1)
    assert (log.cached, log.streamed) == (round(3.67 * 2**20), 0)
    assert log.operators[1] == Operators("CONV_2D", 36, "Mapped to Edge TPU")
    assert log.left == log.faults == ()
    assert log.warning is None


def test_a_network_that_is_mapped_in_part_says_what_is_not_and_why() -> None:
    log = parse_log(PARTLY)
    assert (log.mapped, log.on_cpu, log.subgraphs, log.streamed) == (3, 2, 2, 1280)
    assert [each.op for each in log.left] == ["RESIZE_BILINEAR", "ARG_MAX"]
    assert log.warning == (
        "2 of 5 operators run on the CPU and not on the Edge TPU (1 RESIZE_BILINEAR: Operation is otherwise supported, "
        "but not mapped due to some unspecified limitation; 1 ARG_MAX: Operation not supported). 1,280 B of its "
        "parameters do not fit into the Edge TPU's memory, and travel with each inference."
    )


def test_a_refusal_is_quoted_and_an_unknown_log_is_empty() -> None:
    faults = parse_log(REFUSED).faults
    assert faults[0] == "ERROR: Didn't find op for builtin opcode 'CONV_2D' version '5'"
    assert faults[1:] == ("Invalid model: net.tflite", "Model could not be parsed")
    empty = parse_log("something else entirely\n")
    assert (empty.mapped, empty.on_cpu, empty.operators, empty.warning) == (None, None, (), None)


@pytest.fixture
def network(tmp_path: Path) -> Artifact:
    """An int8 network of one operator."""
    builder = TfliteBuilder()
    ends = [builder.tensor(name, (1, 4), "int8", None, 0.5, -1) for name in ("input", "output")]
    builder.operator("RELU", ends[:1], ends[1:])
    path = tmp_path / "net_int8.tflite"
    path.write_bytes(builder.build(ends[:1], ends[1:]))
    return open_artifact(path)


def on_tpu(code: str = CUSTOM_OPERATOR) -> bytes:
    """A file as the vendor's program leaves it: one operator that stands for all of it."""
    builder = TfliteBuilder()
    ends = [builder.tensor(name, (1, 4), "int8", None, 0.5, -1) for name in ("input", "output")]
    builder.custom(code, ends[:1], ends[1:], b"parameters")
    return builder.build(ends[:1], ends[1:])


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, log: str, product: bytes | None) -> Path:
    """A program of the vendor's name that records its arguments, prints a log and leaves a file."""
    (folder / "bin").mkdir()
    (folder / "product").write_bytes(product or b"")
    (folder / "log").write_text(log)
    program = folder / "bin" / PROGRAM
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, pathlib, shutil, sys\n"
        f"folder = pathlib.Path({str(folder)!r})\n"
        "(folder / 'words').write_text(json.dumps(sys.argv[1:]))\n"
        "assert pathlib.Path(sys.argv[-1]).read_bytes()[4:8] == b'TFL3'\n"
        "out = pathlib.Path(sys.argv[sys.argv.index('--out_dir') + 1])\n"
        f"if {product is not None}:\n"
        "    shutil.copy(folder / 'product', out / (pathlib.Path(sys.argv[-1]).stem + '_edgetpu.tflite'))\n"
        "sys.stdout.write((folder / 'log').read_text())\n"
        f"sys.exit({0 if product is not None else 1})\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return folder / "words"


def test_what_is_mapped_is_in_the_artifact_and_beside_its_numbers(
    network: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = stand_in(tmp_path, monkeypatch, PARTLY, on_tpu())
    heard: list[str] = []

    class Heard(Progress):
        def log(self, text: str) -> None:
            heard.append(text)

    compiled = EdgeTpu(EdgeTpu.Settings(seconds=60)).compile(network, tmp_path / "build", progress=Heard())
    assert Path(compiled.path).name == "net_int8_edgetpu.tflite"
    assert compiled.scheme == "int8"
    assert compiled.inputs == network.inputs
    record = compiled.origins[-1].options
    assert (record["operators_on_edgetpu"], record["operators_on_cpu"]) == (3, 2)
    assert record["left_on_cpu"]["ARG_MAX"] == "1: Operation not supported"
    assert record["compiler_version"] == "16.0.384591198"
    assert _compiler_warnings(compiled) == [f"edgetpu: {parse_log(PARTLY).warning}"]
    assert any("2 of 5 operators run on the CPU" in text for text in heard)
    given = json.loads(words.read_text())
    assert given[:3] == ["--show_operations", "--timeout_sec", "60"]
    assert "--search_delegate" not in given
    # What is read back from the folder says the same.
    assert open_artifact(Path(compiled.path)).origins[-1].options == record


def test_a_network_that_is_mapped_whole_has_no_warning(
    network: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = stand_in(tmp_path, monkeypatch, WHOLE, on_tpu())
    settings = EdgeTpu.Settings(search_delegate=True, min_runtime_version=13)
    compiled = EdgeTpu(settings).compile(network, tmp_path / "build")
    assert _compiler_warnings(compiled) == []
    assert json.loads(words.read_text())[-4:-1] == ["--search_delegate", "--min_runtime_version", "13"]


def test_a_file_without_a_part_for_the_chip_is_refused_whatever_the_log_says(
    network: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, WHOLE, Path(network.path).read_bytes())
    with pytest.raises(ArtifactCheckError, match=r"mapped nothing of net_int8_edgetpu\.tflite"):
        EdgeTpu().compile(network, tmp_path / "build")
    assert not (tmp_path / "build" / "net_int8_edgetpu.tflite").exists()


def test_without_its_delegate_litert_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(on_tpu())
    with pytest.raises(InferenceError, match="compiled for a Coral Edge TPU") as caught:
        LiteRt().load(tmp_path / "net.tflite")
    assert "delegate=libedgetpu" in (caught.value.hint or "")


def test_a_failure_quotes_the_program(network: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, REFUSED, None)
    with pytest.raises(CompileError, match="Didn't find op for builtin opcode 'CONV_2D' version '5'"):
        EdgeTpu().compile(network, tmp_path / "build")


def test_a_program_that_does_not_end_is_ended(
    network: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, WHOLE, on_tpu())
    program = tmp_path / "bin" / PROGRAM
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path / 'pid'}\nexec sleep 1000\n")
    monkeypatch.setattr("edgerig.compilers.edgetpu._GRACE", 0.2)
    monkeypatch.setattr("edgerig.compilers.edgetpu._SIGN_OF_LIFE", 0.1)
    with pytest.raises(CompileError, match=r"had not ended 0\.2 s after its time of 1 s"):
        EdgeTpu(EdgeTpu.Settings(seconds=1)).compile(network, tmp_path / "build")
    pid = int((tmp_path / "pid").read_text())
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_missing_program_and_a_float_network_are_refused_by_name(
    network: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgramError, match=PROGRAM) as caught:
        EdgeTpu().compile(network, tmp_path / "build")
    assert "coral.ai" in (caught.value.hint or "")
    with pytest.raises(IncompatibleError, match="compile it --to int8 first"):
        EdgeTpu().compile(replace(network, scheme="float32"), tmp_path / "build")
