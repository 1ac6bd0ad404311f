"""``edgerig bench``: the options become a rig, and the JSON document is all that standard output has."""

import json

import pytest

from edgerig.cli import main
from edgerig.errors import Interrupted
from edgerig.testing.networks import dense_tflite


@pytest.fixture
def call(capfd, tmp_path, monkeypatch):
    """Runs ``edgerig bench`` in a folder with a small network: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    dense_tflite(tmp_path / "net.tflite", 8, 4)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["bench", "net.tflite", "--samples", "8", "--no-profile", *arguments])
        captured = capfd.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


def test_settings_of_the_target_become_part_of_the_rig(call, monkeypatch):
    made = []

    def plan(rig):
        made.append(rig)
        raise Interrupted("Enough.")

    monkeypatch.setattr("edgerig.engine.api.plan", plan)
    call("--target", "local", "--target", "unix:///x", "--target-option", "timeout=33")
    (block,) = made[0]["matrix"]
    assert block["targets"] == [{"use": "local", "timeout": 33}, {"use": "unix:///x", "timeout": 33}]


def test_one_document_goes_to_standard_output_and_the_rest_to_standard_error(call):
    code, out, err = call("--json")
    assert code == 0, err
    (cell,) = json.loads(out)["cells"]
    assert cell["runtime"] == "litert"
    assert "local" in err


def test_setting_that_the_target_does_not_have_is_told_before_anything_runs(call, tmp_path):
    code, out, err = call("--target-option", "bout=9600", "--json")
    assert (code, out) == (2, "")
    assert "bout" in err
    assert not (tmp_path / "runs").exists()


def test_target_that_there_is_not_is_told(call):
    code, _, err = call("--target", "sim:stm32f999")
    assert code != 0
    assert "stm32f999" in err
    assert "Traceback" not in err
