"""Engines in an interpreter of their own, on this machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.environments_made import AGENT, LITERT, made_environment

from edgerig.environments.catalogue import MANIFEST, Manifest, folder_of
from edgerig.errors import (
    EdgerigError,
    IncompatibleError,
    MissingExtraError,
    NotInstalledError,
    TargetError,
    UsageError,
)
from edgerig.files import write_json
from edgerig.rig.document import Document
from edgerig.rig.parse import parse_rig
from edgerig.rig.plan import make_plan
from edgerig.targets.resolve import target_for
from edgerig.testing.contracts.target import Deployment, TargetContract


class TestLocalInAnotherInterpreter(TargetContract):
    @pytest.fixture(scope="class")
    def target(self):
        return target_for("local")

    @pytest.fixture(scope="class")
    def deployment(self, one_input, litert_environment):
        return msgspec.structs.replace(one_input, options={"python": str(litert_environment)})


def broken(folder: Path, module: str, code: str) -> Path:
    """An environment whose ``module`` runs ``code`` when it is imported."""
    made_environment(folder, AGENT)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / module).mkdir()
    (site / module / "__init__.py").write_text(code)
    return folder


def test_outputs_are_the_same_bit_for_bit_and_versions_are_those_of_that_environment(
    one_input: Deployment, litert_environment: Path
) -> None:
    lines: list[str] = []
    target = target_for("local")
    target.log = lines.append
    x = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    runs, machines, reports = [], [], []
    for options in ({}, {"python": str(litert_environment)}):
        with target.open(one_input.artifact, "litert", options) as session:
            runs.append(session.run([x]))
            machines.append(session.machine())
            reports.append(session.load_report)
    np.testing.assert_array_equal(runs[0].outputs[0], runs[1].outputs[0])
    assert reports[0].invoke_method == reports[1].invoke_method
    assert set(machines[1].packages) == {"ai-edge-litert", "numpy"}, "its packages, not ours"
    assert set(machines[0].packages) > set(machines[1].packages)
    assert [str(litert_environment.resolve()) in line for line in lines] == [True], "it is said once which was used"


def test_a_missing_engine_is_named_with_the_command_for_that_interpreter(
    one_input: Deployment, bare_environment: Path
) -> None:
    with pytest.raises(NotInstalledError, match=r"needs ai_edge_litert, which is not installed for") as caught:
        target_for("local").open(one_input.artifact, "litert", {"python": str(bare_environment)})
    program = bare_environment / "bin" / "python"
    assert str(caught.value.hint).startswith(f"{program} -m pip install 'ai-edge-litert<")


def test_a_path_that_is_none_is_refused_before_anything_is_started(one_input: Deployment, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no Python interpreter"):
        target_for("local").open(one_input.artifact, "litert", {"python": str(tmp_path / "absent")})


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "died of SIGSEGV"),
        ("import sys\nsys.stderr.write('no such libstdc++\\n')\nsys.stderr.flush()\nimport os\nos._exit(9)", "libstdc"),
        ("raise ImportError('libbroken.so.3: cannot open')", "libbroken"),
    ],
)
def test_an_engine_that_dies_at_its_import_is_an_error_with_its_last_words(
    one_input: Deployment, tmp_path: Path, code: str, words: str
) -> None:
    folder = broken(tmp_path / "env", "ai_edge_litert", code)
    with pytest.raises((TargetError, EdgerigError), match=words):
        target_for("local").open(one_input.artifact, "litert", {"python": str(folder)})


def test_what_edgerig_needs_there_is_looked_for_before_each_session(one_input: Deployment, tmp_path: Path) -> None:
    folder = made_environment(tmp_path / "env", (*AGENT, *LITERT))
    options = {"python": str(folder)}
    with target_for("local").open(one_input.artifact, "litert", options):
        pass
    site = next(folder.glob("lib/python3*/site-packages"))
    for item in site.glob("msgspec*"):
        item.unlink() if item.is_symlink() else shutil.rmtree(item)
    with pytest.raises(EdgerigError, match="needs msgspec"):
        target_for("local").open(one_input.artifact, "litert", options)


def test_what_is_no_target_of_this_machine_refuses_it() -> None:
    runtime = {"use": "litert", "python": "/usr"}
    block = {"compilers": ["float32"], "runtimes": [runtime], "targets": ["tcp://10.0.0.1:7433"]}
    data = {"model": "mnist-cnn", "dataset": "mnist", "matrix": block}
    with pytest.raises(IncompatibleError, match="'python' names an interpreter of this machine, and tcp://10"):
        make_plan(parse_rig(Document(data, "rig.yaml")))


def test_a_plan_refuses_what_the_interpreter_lacks(bare_environment: Path, tmp_path: Path) -> None:
    for python, words in ((bare_environment, "needs ai_edge_litert"), (tmp_path, "no environment of Python")):
        block = {"compilers": ["float32"], "runtimes": [{"use": "litert", "python": str(python)}]}
        with pytest.raises(EdgerigError, match=words):
            make_plan(parse_rig(Document({"model": "mnist-cnn", "dataset": "mnist", "matrix": block}, "rig.yaml")))


@pytest.mark.slow
def test_an_environment_that_was_made_for_an_engine_is_used_by_itself_where_ours_lacks_it(
    openvino_environment: Path, one_input: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path))
    x = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
    target, lines = target_for("local"), []
    target.log = lines.append
    with target.open(one_input.artifact, "openvino", {}) as session:
        here = session.run([x])
    assert lines == [], "ours has it"
    # From here on our own interpreter has no such package.
    monkeypatch.setitem(sys.modules, "openvino", None)
    data = {"model": "mnist-cnn", "dataset": "mnist", "matrix": {"compilers": ["float32"], "runtimes": ["openvino"]}}
    with pytest.raises(MissingExtraError) as caught:
        make_plan(parse_rig(Document(data, "rig.yaml")))
    assert str(caught.value.hint).startswith("edgerig engines install openvino, in an environment of its own; or ")
    folder = folder_of("openvino")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(openvino_environment)
    manifest = Manifest(engine="openvino", requirements=(), bytes=1, seconds=1.0, made="2026-01-01T00:00:00Z")
    write_json(openvino_environment / MANIFEST, manifest)
    try:
        assert len(make_plan(parse_rig(Document(data, "rig.yaml"))).cells) == 1
        with target.open(one_input.artifact, "openvino", {}) as session:
            there = session.run([x])
            assert "openvino" in session.machine().packages
    finally:
        (openvino_environment / MANIFEST).unlink()
    np.testing.assert_array_equal(here.outputs[0], there.outputs[0])
    assert len(lines) == 1
    assert str(folder) in lines[0], "it is said which was used"
