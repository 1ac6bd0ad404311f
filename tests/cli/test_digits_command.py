"""``edgerig digits ask`` and the digit that a firmware is built with."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.wire.digits.reference_server import ReferenceServer, expected_outputs

from edgerig.cli import main
from edgerig.serve.drawing_files import png_of
from edgerig.testing import networks


def run(*words: str) -> None:
    """Call the command, which must succeed."""
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    assert stopped.value.code == 0


@pytest.fixture(scope="module")
def picture() -> Any:
    """A picture with ink that is not at its edge."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[3:25, 10:18] = np.arange(22 * 8, dtype=np.uint8).reshape(22, 8) + 60
    return pixels


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, picture: Any) -> Path:
    path = tmp_path_factory.mktemp("drawn") / "seven.png"
    path.write_bytes(png_of(picture))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.dense_tflite_int8(tmp_path_factory.mktemp("digits") / "net.tflite", 784, 10)


@pytest.mark.slow
def test_a_board_and_a_server_give_the_same_kind_of_answer(
    drawn: Path, model: Path, picture: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = []
    with ReferenceServer() as server:
        for target in (["sim:stm32f746", "--model", str(model)], [f"digits://127.0.0.1:{server.port}"]):
            run("digits", "ask", "--target", *target, str(drawn), "--json")
            answers.append(json.loads(capsys.readouterr().out))
    board, served = answers
    assert board.keys() == served.keys()
    assert board["stats"].keys() == served["stats"].keys()
    assert (board["time_kind"], served["time_kind"]) == ("modelled", "measured")
    for answer in (board, served):
        assert answer["time"]["is"] == "number"
        assert answer["time"]["unit"] == "s"
        assert answer["time"]["value"] == pytest.approx(answer["time_ms"] / 1000)
        assert answer["time"]["kind"] == answer["time_kind"]
    assert served["outputs"] == expected_outputs(picture.reshape(784).astype(np.float32) / np.float32(255)).tolist()
    assert board["digit"] == int(np.argmax(board["outputs"]))
    assert board["stats"]["freq_hz"] == 216_000_000


def test_people_get_the_lines_that_they_know(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ReferenceServer() as server:
        run("digits", "ask", "--target", f"digits://127.0.0.1:{server.port}", str(drawn))
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[:2] == ["Command: 2", "Execution time: 1.250000 msec"]
    assert [line.partition(":")[0] for line in lines[2:12]] == [f"Out[{n}]" for n in reversed(range(10))]
    assert lines[12].startswith("Digit: ")
    assert "216 MHz, ACCELERATION_CMSIS_NN" in shown.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--target", "digits://127.0.0.1:1"], "Cannot connect"),
        (["--target", "sim:stm32f746"], "needs a network"),
        (["--target", "nowhere"], "no device that answers digits"),
    ],
)
def test_a_target_that_cannot_answer_is_one_clear_error(
    drawn: Path, words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["digits", "ask", *words, str(drawn)])
    assert stopped.value.code in (1, 2)
    assert text in capsys.readouterr().err


def test_the_users_digit_stands_behind_cmd_2(
    drawn: Path, model: Path, picture: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--model", str(model), "--sample", str(drawn)]
    run("firmware", "console", "sim:stm32f746", *command, "-c", "CMD=2")
    out = capsys.readouterr().out
    assert "sample  seven.png" in out
    shown = [int(line.split()[1]) for line in out.splitlines() if line.startswith("Out[")]
    run("digits", "ask", "--target", "sim:stm32f746", "--model", str(model), str(drawn), "--json")
    answer = json.loads(capsys.readouterr().out)
    scale, zero_point = networks.INT8_OUTPUT
    outputs = [struct.unpack("<f", struct.pack("<f", scale))[0] * (number - zero_point) for number in shown]
    np.testing.assert_allclose(answer["outputs"], outputs, rtol=1e-6)


def test_digits_and_samples_mean_nothing_to_a_device_of_mlperf_tiny(
    drawn: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["firmware", "build", "--board", "stm32f746", "--model", str(model), "--out", str(tmp_path / "fw")]
    with pytest.raises(SystemExit):
        main([*words, "--console", "mlperf-tiny", "--sample", str(drawn)])
    assert "--sample is for CMD=2" in capsys.readouterr().err
