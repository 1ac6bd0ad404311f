"""A network whose output does not depend on its input is named at every door that shows its quality or a comparison."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edgerig.cli import main
from edgerig.report import render
from edgerig.report.load import load_bundle
from edgerig.testing.networks import dense_tflite

#: What each door says of it, at the least.
WORDS = "does not depend on its input"
VACUOUS = "vacuous: "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two constant networks, a rig of them, and the bundle of a run."""
    root = tmp_path_factory.mktemp("vacuous")
    for name, seed in (("a", 0), ("b", 1)):
        dense_tflite(root / f"{name}.tflite", 784, 10, seed=seed, gain=0.0)
    (root / "rig.yaml").write_text(
        "name: t\n"
        "models: [{name: a, file: a.tflite}, {name: b, file: b.tflite}]\n"
        "dataset: mnist\n"
        "matrix: [{runtimes: [litert]}]\n"
        "measure: {samples: 60, rounds: 1, seconds: 0, profile: false, transport_samples: 0}\n"
        "gate: {accuracy: 0.5 points}\n"
    )
    return root


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs edgerig: the exit code, and all that it prints on one line."""

    def run(*words: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        captured = capfd.readouterr()
        return int(ended.value.code or 0), " ".join((captured.out + captured.err).split())

    return run


@pytest.mark.slow
def test_every_door_names_it(folder: Path, call: Callable[..., tuple[int, str]]) -> None:
    code, text = call("run", folder / "rig.yaml", "--out", folder / "first")
    assert code == 0
    assert WORDS in text
    assert VACUOUS in text
    for kind in ("html", "md", "json"):
        page = render([load_bundle(folder / "first")], kind)
        assert WORDS in page
        assert "answers the same class for all 60 samples" in page, "the table of errors says so, too"
    _, text = call("compare", folder / "first", folder / "first")
    assert WORDS in text
    assert "answers the same class for all 60 samples" in text
    _, text = call("gate", folder / "rig.yaml", "--baseline", folder / "first", "--out", folder / "second")
    assert WORDS in text
    _, text = call("bench", folder / "a.tflite", "--dataset", "mnist", "--samples", 20, "--rounds", 1, "--seconds", 0,
                   "--out", folder / "bench")  # fmt: skip
    assert WORDS in text
