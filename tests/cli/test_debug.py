"""What a user sees of a plugin that raises what it should not: its type and message, and with --debug where."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgerig.cli import main
from edgerig.testing import networks

PLUGIN = """
from edgerig.compilers.base import ModelCompiler
from edgerig.runtimes.base import Runtime


def weights_of(layer):
    return {}[layer]


class Broken(ModelCompiler):
    name, summary, takes, makes, scheme = "broken", "fails", frozenset({"tflite"}), "tflite", "float32"

    def _compile(self, artifact, work, dataset, progress):
        return weights_of(-1)


class BrokenRuntime(Runtime):
    name, summary, formats = "broken", "fails", frozenset({"tflite"})

    @classmethod
    def version(cls):
        return "1"

    def _load(self, path):
        weights_of(-1)

    def _inputs(self):
        return ()

    _outputs = _calls = _inputs
"""
COMPILE = ("compile", "--to", "broken_plugin:Broken")
BENCH = ("bench", "--runtime", "broken_plugin:BrokenRuntime", "--rounds", "1", "--seconds", "0", "--samples", "2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "broken_plugin.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_plugin", raising=False)
    return tmp_path


@pytest.fixture
def float_tflite(tmp_path: Path) -> Path:
    return networks.dense_tflite(tmp_path / "float.tflite")


def failed(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 1
    return capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("command", [COMPILE, BENCH], ids=["compiler", "runtime"])
def test_a_plugins_own_exception_is_named_and_with_debug_traced_into_its_process(
    command: tuple[str, ...], folder: Path, float_tflite: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = [command[0], str(float_tflite), *command[1:], "--out", str(folder / "out")]
    plain = failed(arguments, capfd)
    assert "KeyError: -1" in plain
    assert "Traceback" not in plain
    if (folder / "out").exists():
        (folder / "out").rename(folder / "plain")
    log = folder / "log.txt"
    traced = failed(["--debug", "--log-file", str(log), *arguments], capfd)
    assert 'broken_plugin.py", line 7, in weights_of' in traced
    assert "in weights_of" in log.read_text()


def test_a_cell_keeps_the_traceback_of_the_runtime_that_failed(
    folder: Path, float_tflite: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    failed([BENCH[0], str(float_tflite), *BENCH[1:], "--out", str(folder / "out")], capfd)
    (trace,) = (folder / "out").glob("cells/*/traceback.txt")
    assert "in weights_of" in trace.read_text()
