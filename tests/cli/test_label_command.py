"""``edgerig label`` on the command line: what is wrong is told before anything listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerig.cli import main


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is told on standard error by a command that fails."""
    with pytest.raises(SystemExit) as ended:
        main(["label", *arguments])
    assert ended.value.code in (1, 2)
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error


@pytest.fixture(autouse=True)
def needs_a_store() -> None:
    pytest.importorskip("obstore")


def test_an_address_without_a_dataset_is_told_with_those_that_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.serve.labels.conftest import image, make

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    make(tmp_path / "street", {"a.png": image()})
    assert "no dataset 'stret'" in told(capsys, str(tmp_path / "stret"))
    assert "no version 7" in told(capsys, f"{tmp_path / 'street'}@7")
    assert "No store is behind" in told(capsys, "ftp://lab/street")
    assert "reached from other machines" in told(capsys, str(tmp_path / "street"), "--listen", "0.0.0.0:0")
    assert "none.tflite: No such file" in told(
        capsys, str(tmp_path / "street"), "--prefill", str(tmp_path / "none.tflite")
    )
    assert not (tmp_path / "state").exists(), "a journal begins when the server does"


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["label", "--help"])
    text = capsys.readouterr().out
    assert "edgerig label data/street" in text
    assert "several people" in text
