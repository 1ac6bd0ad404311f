"""Formats that edgerig has never heard of, from a module beside the rig: compiled, sent, run, inspected, measured."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import edgerig
from edgerig.artifact import Artifact
from edgerig.compilers.chains import compile_chains, plan_chains
from edgerig.engine import dependencies
from edgerig.engine.artifacts import place_artifact
from edgerig.errors import ArtifactCheckError, CompileError, EdgerigError, ModelError, UnknownNameError
from edgerig.models.files import open_artifact
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle
from edgerig.targets.resolve import target_for
from edgerig.testing.networks import dense_weights

MEASURE = {"samples": 40, "warmup": 1, "rounds": 1, "seconds": 0, "profile_samples": 1, "transport_samples": 1}


@contextlib.contextmanager
def running_agent(folder: Path, *runtimes: str) -> Iterator[str]:
    """An agent in a process of its own, where Python finds the modules in ``folder``; its address."""
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "edgerig", "agent", "--listen", "127.0.0.1:0", "--quiet", "--until-eof"]
    command += [word for runtime in runtimes for word in ("--runtime", runtime)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.stdin.close()
            process.wait(20)


def edgerig_command(folder: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command of edgerig in the working folder ``folder``."""
    command = [sys.executable, "-m", "edgerig", *map(str, arguments)]
    environment = {**os.environ, **variables}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, env=environment
    )


@pytest.fixture
def rig_folder(plugin_folder: Path, digit_net: Path) -> Path:
    """Where the rig file lies: beside the module."""
    shutil.copy(digit_net, plugin_folder)
    return plugin_folder


def write_rig(folder: Path, name: str, targets: list[str]) -> Path:
    blocks = [
        {"compilers": [f"odd_nets:To{kind}"], "runtimes": [f"odd_nets:{kind}Engine"], "targets": targets}
        for kind in ("Odd", "Parted")
    ]
    rig = {
        "name": "unheard-of",
        "model": {"file": "digits.tflite"},
        "dataset": "mnist",
        "matrix": [{"runtimes": ["litert"]}, *blocks],
        "measure": MEASURE,
    }
    path = folder / name
    path.write_text(yaml.safe_dump(rig))
    return path


@pytest.fixture(scope="session")
def measured(
    plugin_folder: Path, digit_net: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[edgerig.RunResult, Path]]:
    """A run of both formats on this machine and on an agent."""
    shutil.copy(digit_net, plugin_folder)
    out = tmp_path_factory.mktemp("measured") / "out"
    with running_agent(plugin_folder, "odd_nets:OddEngine", "odd_nets:PartedEngine") as address:
        yield edgerig.run(write_rig(plugin_folder, "rig.yaml", ["local", address]), out=out), out


@pytest.mark.slow
def test_both_formats_are_measured_on_this_machine_and_on_an_agent(measured) -> None:
    result, out = measured
    assert len(result.cells) == 5
    assert not result.failures
    scores = [Bundle(out).samples(cell.id)["scores"] for cell in result.cells]
    for cell, own in zip(result.cells, scores, strict=True):
        assert cell.quality.samples == 40
        assert cell.agreement.same_class == 1.0, "the same network, whatever its files"
        np.testing.assert_allclose(own, scores[0], atol=1e-5)
    assert {cell.artifact.format for cell in result.cells} == {"tflite", "odd", "parted"}


@pytest.mark.slow
def test_the_bundle_holds_all_files_of_each(measured) -> None:
    result, out = measured
    for cell in result.cells:
        artifact = Artifact.load(Path(cell.artifact.path + ".json"))
        assert artifact.sha256 == cell.artifact.sha256
        assert artifact.read()
        assert Path(artifact.path).is_relative_to(out / "artifacts")
    parted = next(cell.artifact for cell in result.cells if cell.artifact.format == "parted")
    folder = Path(parted.path).parent
    names = {item.relative_to(folder).as_posix() for item in folder.rglob("*") if not item.is_dir()}
    assert names == {"layer.parted", "layer.parted.json", "weights.npy", "parts/bias.npy"}
    assert parted.size == sum((folder / name).stat().st_size for name in names - {"layer.parted.json"})


def compiled(odd_nets: Any, net: Path, out: Path, name: str) -> Artifact:
    source = open_artifact(net)
    chains = plan_chains([f"odd_nets:{name}"], {}, source, None)
    made, failures = compile_chains(chains, source, out, None, Progress())
    assert not failures
    return made[-1].artifact


@pytest.fixture
def parted(odd_nets: Any, digit_net: Path, tmp_path: Path) -> Artifact:
    return compiled(odd_nets, digit_net, tmp_path / "made", "ToParted")


def test_an_artifact_of_several_files_is_described_by_all_of_them(parted: Artifact, tmp_path: Path) -> None:
    assert parted.format == "parted"
    assert Path(parted.path) == tmp_path / "made" / "digits" / "layer.parted"
    assert [(spec.name, spec.shape) for spec in (*parted.inputs, *parted.outputs)] == [("x", (1, 784)), ("y", (1, 10))]
    assert open_artifact(Path(parted.path)) == parted


@pytest.mark.parametrize("name", ["layer.parted", "weights.npy", "parts/bias.npy"])
def test_keys_of_caches_depend_on_every_file(parted: Artifact, name: str) -> None:
    Path(parted.path + ".json").unlink()
    before = open_artifact(Path(parted.path))
    path = Path(parted.path).parent / name
    # The last byte: of a weight, or a space behind the names.
    content = path.read_bytes()
    path.write_bytes(content + b" " if name == "layer.parted" else content[:-1] + bytes([content[-1] ^ 1]))
    after = open_artifact(Path(parted.path))
    assert dependencies.of_artifact(after) != dependencies.of_artifact(before)
    with pytest.raises(ModelError, match="SHA-256"):
        before.read()


def test_the_code_of_a_format_is_in_the_keys(parted: Artifact) -> None:
    assert "odd_nets" in dependencies.of_artifact(parted)["format"][0]["code"]["files"]


def test_a_copy_in_a_bundle_is_taken_if_it_is_whole_and_mended_if_not(parted: Artifact, tmp_path: Path) -> None:
    placed = place_artifact(parted, tmp_path / "bundle")
    folder = Path(placed.path).parent
    assert folder.name == f"layer-{parted.sha256[:8]}"
    stamp = (folder / "weights.npy").stat().st_mtime_ns
    assert place_artifact(parted, tmp_path / "bundle") == placed
    assert (folder / "weights.npy").stat().st_mtime_ns == stamp
    (folder / "parts" / "bias.npy").unlink()
    assert place_artifact(parted, tmp_path / "bundle").read() == parted.read()


def test_one_plugin_s_format_is_compiled_to_another_s(odd_nets: Any, digit_net: Path, tmp_path: Path) -> None:
    odd = compiled(odd_nets, digit_net, tmp_path / "odd", "ToOdd")
    assert Path(odd.path).name == "digits.odd"
    parted = compiled(odd_nets, Path(odd.path), tmp_path / "parted", "ToParted")
    weights, bias = odd_nets.read_parted(Path(parted.path))
    expected = dense_weights(784, 10)
    np.testing.assert_array_equal(weights, expected[0])
    np.testing.assert_array_equal(bias, expected[1])


def test_a_compiler_that_returns_no_network_is_told(
    odd_nets: Any, digit_net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for product, error, words in (
        (None, CompileError, "returned a NoneType"),
        (tmp_path / "absent.odd", CompileError, "No such file"),
        (b"", ArtifactCheckError, "not odd at all"),
        (b"no odd file", ArtifactCheckError, "not odd at all"),
    ):
        monkeypatch.setattr(odd_nets.ToOdd, "_compile", lambda *_, product=product: product)
        with pytest.raises(error, match=words):
            odd_nets.ToOdd().compile(open_artifact(digit_net), tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_a_scheme_that_is_not_the_compiler_s_is_told(
    odd_nets: Any, digit_net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(odd_nets.ToOdd, "scheme", "int8")
    with pytest.raises(ArtifactCheckError, match="should be int8 and is float32"):
        odd_nets.ToOdd().compile(open_artifact(digit_net), tmp_path / "out")


@pytest.mark.slow
def test_an_agent_without_the_plugin_says_so(odd_nets: Any, parted: Artifact, tmp_path: Path) -> None:
    with running_agent(tmp_path) as address, contextlib.closing(target_for(address, {})) as target:
        with pytest.raises(EdgerigError, match="odd_nets"):
            target.open(parted, "odd_nets:PartedEngine", {})
        with pytest.raises(UnknownNameError, match="Unknown format 'parted'"):
            target.open(parted, "litert", {})


@pytest.mark.parametrize("kind", ["Odd", "Parted"])
def test_a_session_loads_one_network_after_another(odd_nets: Any, digit_net: Path, tmp_path: Path, kind: str) -> None:
    artifact = compiled(odd_nets, digit_net, tmp_path / "made", f"To{kind}")
    sample = np.linspace(0, 1, 784, dtype=np.float32)[None]
    with contextlib.closing(target_for("local", {})) as target:
        for _ in range(2):
            with target.open(artifact, f"odd_nets:{kind}Engine", {}) as session:
                assert session.load_report.sha256 == artifact.sha256
                (scores,) = session.run([sample]).outputs
    weights, bias = dense_weights(784, 10)
    logits = sample @ weights.T + bias
    np.testing.assert_allclose(scores, np.exp(logits) / np.exp(logits).sum(), rtol=1e-4)


@pytest.mark.slow
def test_inspect_shows_it(odd_nets: Any, digit_net: Path, rig_folder: Path) -> None:
    odd = compiled(odd_nets, digit_net, rig_folder / "inspected", "ToOdd")
    done = edgerig_command(rig_folder, "inspect", odd.path, "--model-format", "odd_nets:Odd")
    assert done.returncode == 0, done.stderr
    for words in ("odd, float32", "input  x  float32 1x784", "output y  float32 1x10", "peculiarity  a file of"):
        assert words in done.stdout
    done = edgerig_command(rig_folder, "inspect", odd.path, "--model-format", "odd_nets:Odd", "--json")
    shown = json.loads(done.stdout)
    assert (shown["format"], shown["size"], shown["sha256"]) == ("odd", odd.size, odd.sha256)
    done = edgerig_command(rig_folder, "inspect", odd.path)
    assert done.returncode == 2
    assert "--model-format" in done.stderr


@pytest.mark.slow
def test_bench_finds_its_runtime(odd_nets: Any, digit_net: Path, rig_folder: Path, tmp_path: Path) -> None:
    """By the format that is named, by an entry point, or by the module of the runtime."""
    parted = compiled(odd_nets, digit_net, tmp_path / "made", "ToParted")
    package = tmp_path / "site" / "odd-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[edgerig.formats]\nparted = odd_nets:Parted\n")
    shutil.copy(rig_folder / "odd_nets.py", tmp_path / "site")
    ways = [
        (rig_folder, ["--model-format", "odd_nets:Parted"], {}),
        (tmp_path, [], {"PYTHONPATH": str(tmp_path / "site")}),
        (rig_folder, ["--runtime", "odd_nets:PartedEngine"], {}),
    ]
    for folder, words, variables in ways:
        done = edgerig_command(folder, "bench", parted.path, *words, "--dry-run", **variables)
        assert done.returncode == 0, done.stderr
        assert "odd_nets:PartedEngine" in done.stderr
    words = [
        "--model-format",
        "odd_nets:Parted",
        "--samples=5",
        "--warmup=0",
        "--rounds=2",
        "--seconds=0",
        "--json",
        "--out",
        tmp_path / "o",
    ]
    done = edgerig_command(rig_folder, "bench", parted.path, *words)
    assert done.returncode == 0, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    assert (cell["runtime"], cell["artifact"]["format"]) == ("odd_nets:PartedEngine", "parted")


@pytest.mark.slow
def test_a_file_of_it_is_the_model_of_a_rig(odd_nets: Any, digit_net: Path, rig_folder: Path, tmp_path: Path) -> None:
    """Without a matrix it runs on its usual runtime, which also gives the float predictions to compare with."""
    odd = compiled(odd_nets, digit_net, rig_folder / "given", "ToOdd")
    rig = {"model": {"file": odd.path, "format": "odd_nets:Odd"}, "dataset": "mnist", "measure": MEASURE}
    (rig_folder / "file.yaml").write_text(yaml.safe_dump(rig))
    (cell,) = edgerig.run(rig_folder / "file.yaml", out=tmp_path / "out").cells
    assert cell.runtime == "odd_nets:OddEngine"
    assert cell.agreement.same_class == 1.0


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"file": "net.od3", "format": "odd_nets:Odd"}, "odd_nets:Odd reads .odd, .od2 and not net.od3"),
        ({"file": "net.odd", "format": "odd_nets:ToOdd"}, "is not a format"),
        ({"file": "net.odd", "format": "no_such_module:Odd"}, "Cannot import"),
        ({"use": "mnist-cnn", "format": "odd_nets:Odd"}, "is of a model's file"),
    ],
)
def test_a_rig_s_format_that_does_not_fit_is_told(model: dict[str, str], words: str, rig_folder: Path) -> None:
    for name in ("net.odd", "net.od3"):
        (rig_folder / name).write_bytes(b"x")
    (rig_folder / "wrong.yaml").write_text(yaml.safe_dump({"model": model, "dataset": "mnist"}))
    with pytest.raises(EdgerigError) as caught:
        edgerig.run(rig_folder / "wrong.yaml", out=rig_folder / "never")
    assert words in str(caught.value)
