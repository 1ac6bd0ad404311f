"""A fault in the code of a plugin is told as the plugin's, with file and line, and edgerig's own as edgerig's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgerig.cli.plugin_faults import error_of_plugin
from edgerig.testing.networks import dense_tflite

SOURCE = """
import numpy as np
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.tasks.metrics import Metric


class Whole(Dataset):
    name, summary, classes, preprocessing = "whole", "s", ("a", "b", "c", "d"), Preprocessing()

    def _prepare(self, progress):
        pass

    def _split(self, name):
        return {}["nothing"]


class Deep(Whole):
    def _split(self, name):
        return np.stack([])


class Half(Dataset):
    name, summary = "half", "s"

    def _prepare(self, progress):
        pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(SOURCE)
    dense_tflite(tmp_path / "net.tflite")
    return tmp_path


@pytest.mark.parametrize(
    ("dataset", "code", "texts"),
    [
        ("mine:Whole", 1, ["mine.py, line 15, in _split: KeyError: 'nothing'", "plugin's code", "--debug"]),
        ("mine:Deep", 1, ["mine.py, line 20, in _split: ValueError: need at least one array to stack"]),
        ("mine:Half", 2, ["no whole dataset: it lacks _split, classes, preprocessing", "docs/plugins/dataset.md"]),
        ("mine:Metric", 2, ["is not a dataset: it does not derive from Dataset"]),
        ("mine:Whol", 2, ["Did you mean mine:Whole?"]),
        ("mine.py:Whole", 2, ["Name the module without its suffix: mine:Whole"]),
    ],
)
def test_a_plugin_that_does_not_work_is_named(folder: Path, dataset: str, code: int, texts: list[str]) -> None:
    words = ["bench", "net.tflite", "--dataset", dataset, "--rounds", "1", "--seconds", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "edgerig", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    for text in texts:
        assert text in done.stderr
    assert "fault of edgerig" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_of_edgerig_s_own_code_is_no_plugin_s() -> None:
    with pytest.raises(AttributeError) as caught:
        dense_tflite("no path")  # type: ignore[arg-type]
    # Without this test's own frame, which would be a plugin's.
    assert caught.value.__traceback__ is not None
    error = caught.value.with_traceback(caught.value.__traceback__.tb_next)
    assert error_of_plugin(error) is None
