"""Sessions against a device on a pseudo-terminal: what is written, what it is worth, and what is gone on with."""

import json
import re
import resource
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.heard import Heard
from tests.suites.mlperf_tiny.runner.scripted import Piece, ScriptedDevice
from tests.suites.mlperf_tiny.runner.sessions import by_first_byte, settings, unofficial, write_keywords

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.datasets.mlperf_tiny.seeded import write_seeded
from edgerig.errors import AnswerError, DatasetError, Interrupted, ModelError, SpecError, StorageError, TargetError
from edgerig.suites.mlperf_tiny.runner import accuracy
from edgerig.suites.mlperf_tiny.runner.device import Identity
from edgerig.suites.mlperf_tiny.runner.records import FileRecord, SessionKey
from edgerig.suites.mlperf_tiny.runner.run import run_session
from edgerig.suites.mlperf_tiny.runner.session import Session


def test_accuracy_is_that_of_normalised_outputs_in_the_words_of_the_checker(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data"), tmp_path / "out"
    with ScriptedDevice(results=by_first_byte) as scripted:
        summary = run_session(settings(scripted, data, out), heard)
    assert summary.quality is not None
    assert {metric.name: metric.value for metric in summary.quality.metrics}["accuracy"] == pytest.approx(20 / 24)
    assert summary.passed is False
    assert unofficial(out, "top1") == pytest.approx(100 * 20 / 24, abs=1e-3)
    assert 0.5 < unofficial(out, "auc") <= 1
    rows = json.loads((out / "results.json").read_text())
    assert len(rows) == 24
    assert rows[5]["file"] == "tst_000005.bin"
    assert rows[5]["class"] == "5"
    assert rows[5]["infer"]["results"][6] == pytest.approx(0.75)
    # All files once, one inference each, and the warm-up that a device would make unasked is not made.
    assert [command for command in scripted.commands if command.startswith("infer")] == ["infer 1 0"] * 24
    assert "The official set has 1,000 files, and 24 were run." in summary.invalid


def test_the_folder_has_the_official_files_and_nothing_beside_them(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    with ScriptedDevice(results=by_first_byte) as scripted:
        summary = run_session(settings(scripted, data, out), heard)
    assert {path.name for path in out.iterdir() if path.is_file()} == {"log.txt", "results.txt", "results.json"}
    page = (out / "edgerig" / "report.html").read_text()
    assert "keyword spotting" in page
    assert "top-1 at least 90%" in page
    finished = datetime.fromisoformat(summary.finished)
    assert abs(datetime.now(UTC) - finished).total_seconds() < 3600
    assert summary.finished.replace("T", " ") in page.replace("&#43;", "+")
    # An area is no share.
    assert re.search(r"<td[^>]*>0\.\d{4}</td>", page)
    assert "NUCLEO-L4R5ZI" in page
    assert "http-equiv" in page
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    log = (out / "log.txt").read_text()
    assert "> infer 1 0%" in log
    assert "< m-results-[" in log


def test_samples_from_a_seed_say_nothing_of_the_network_nor_of_its_inputs(tmp_path: Path, heard: Heard) -> None:
    data = tmp_path / "data"
    write_seeded(data, "kws01", 2)
    with ScriptedDevice(results=lambda _: [1.0] + [0.0] * 11) as scripted:
        summary = run_session(settings(scripted, data, tmp_path / "out"), heard)
    assert "The samples were made from a seed: the quality says nothing of the network." in summary.invalid
    assert not any("inputs are wrong" in warning for warning in summary.warnings)


def test_a_session_that_was_cut_off_goes_on_at_the_file_where_it_stopped(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data"), tmp_path / "out"
    seen = []

    def fails_at_the_tenth(command: str) -> Sequence[Piece] | None:
        if command.startswith("infer"):
            seen.append(command)
            if len(seen) == 10:
                return [b"m-warmup-start-0\r\nm-timestamp-mode-performance\r\nm-init-done\r\nm-ready\r\n"]
        return None

    with ScriptedDevice(results=by_first_byte, answers=fails_at_the_tenth) as scripted:
        with pytest.raises(AnswerError, match="started anew during 'infer 1 0'"):
            run_session(settings(scripted, data, out), heard)
        assert "failed: The device started anew" in (out / "log.txt").read_text()
        assert not (out / "results.txt").exists()
        # What was being written when it ended is no record.
        with (out / "edgerig" / "journal.jsonl").open("ab") as journal:
            journal.write(b'{"type":"file","index":9,"fi')
        summary = run_session(settings(scripted, data, out), heard)
    assert len(seen) == 10 + 24 - 9
    assert summary.files == 24
    assert unofficial(out, "top1") == pytest.approx(100 * 20 / 24, abs=1e-3)
    assert any("Goes on" in line for line in heard.lines)


def test_a_session_is_gone_on_with_only_as_itself(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"

    def fail_at_the_third(command: str) -> Sequence[Piece] | None:
        return [b"e-[no]\r\nm-ready\r\n"] if scripted.commands.count("infer 1 0") == 3 else None

    with ScriptedDevice(results=by_first_byte, answers=fail_at_the_third) as scripted, pytest.raises(AnswerError):
        run_session(settings(scripted, data, out), heard)
    with ScriptedDevice(results=by_first_byte) as other:
        (data / "kws01" / "tst_000003.bin").write_bytes(bytes(490))
        with pytest.raises(StorageError, match="unfinished session of something else: the samples have changed"):
            run_session(settings(other, data, out), heard)
        with pytest.raises(StorageError, match="its mode is accuracy"):
            run_session(settings(other, data, out, mode="performance"), heard)
        finished = tmp_path / "finished"
        run_session(settings(other, data, finished), heard)
        with pytest.raises(StorageError, match="holds a finished session"):
            run_session(settings(other, data, finished), heard)
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "thesis.tex").write_text("")
        with pytest.raises(StorageError, match=r"holds 'thesis.tex', which is not of a session"):
            run_session(settings(other, data, tmp_path / "full"), heard)


def test_two_runs_in_one_folder_do_not_mix_their_records(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    refusals = []

    def second_run_meanwhile(command: str) -> Sequence[Piece] | None:
        if command.startswith("infer") and not refusals:
            with ScriptedDevice(results=by_first_byte) as other:
                with pytest.raises(StorageError, match="is in use: another run writes there"):
                    run_session(settings(other, data, out), heard)
                refusals.append(list(other.commands))
        return None

    with ScriptedDevice(results=by_first_byte, answers=second_run_meanwhile) as scripted:
        run_session(settings(scripted, data, out), heard)
    # The second device was not bothered, and each file has one record.
    assert refusals == [[]]
    assert len((out / "edgerig" / "journal.jsonl").read_text().splitlines()) == 1 + 12


def test_a_disk_that_is_full_in_the_middle_is_told_and_what_came_before_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    key = SessionKey(
        benchmark="kws01", mode="accuracy", device=Identity("a", "b", "c"), samples="", window_seconds=1, warm_up=0
    )
    record = FileRecord(index=0, file="a.bin", label=0, outputs=((1.0,) * 12,), seconds=0.001)
    with Session(out, key) as session:
        session.append(record)
    # No file may grow beyond what the journal has now and a part of a record, as on a disk that is full.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (out / "edgerig" / "journal.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"Could not write .*journal.jsonl"), Session(out, key) as session:
            session.append(record)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with Session(out, key) as session:
        assert session.records == [record]


def test_a_folder_that_no_file_system_takes_is_told(tmp_path: Path, heard: Heard) -> None:
    data = write_keywords(tmp_path / "data", 12)
    with ScriptedDevice() as scripted:
        with pytest.raises(StorageError, match="File name too long"):
            run_session(settings(scripted, data, tmp_path / ("a" * 300)), heard)
        with pytest.raises(DatasetError, match="File name too long"):
            run_session(settings(scripted, tmp_path / ("a" * 300), tmp_path / "out"), heard)
    assert scripted.commands == []


def test_ctrl_c_keeps_what_came_before(tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"

    with ScriptedDevice(results=by_first_byte) as scripted:
        calls = []
        run_file = accuracy._run_file

        def interrupted(*arguments: Any) -> Any:
            calls.append(1)
            if len(calls) == 4:
                raise KeyboardInterrupt
            return run_file(*arguments)

        monkeypatch.setattr(accuracy, "_run_file", interrupted)
        with pytest.raises(Interrupted, match="what was measured is kept"):
            run_session(settings(scripted, data, out), heard)
        assert "stopped by the user" in (out / "log.txt").read_text()
        monkeypatch.setattr(accuracy, "_run_file", run_file)
        run_session(settings(scripted, data, out), heard)
    assert scripted.commands.count("infer 1 0") == 12


def test_anomaly_scores_are_averaged_over_the_windows_of_a_file(tmp_path: Path, heard: Heard) -> None:
    folder = tmp_path / "data" / "ad01"
    folder.mkdir(parents=True)
    lines = []
    for index in range(6):
        anomalous = index % 2
        # Three windows; the device is asked for each, and its score is that of the window's first value.
        values = np.full(640 + 2 * 128, 0.25 + anomalous * 0.5 * (index > 1), np.float32)
        (folder / f"{index}.bin").write_bytes(values.astype("<f4").tobytes())
        lines.append(f"{index}.bin,2,{anomalous},2560,512\n")
    (folder / "y_labels.csv").write_text("".join(lines))
    changes = {"benchmark": BENCHMARKS["ad01"]}

    def score(sample: bytes) -> list[float]:
        return [float(np.frombuffer(sample, "<f4")[0])]

    def reconstruction(sample: bytes) -> list[float]:
        return [0.0] * 640

    with ScriptedDevice("ad01", score) as scripted:
        summary = run_session(settings(scripted, tmp_path / "data", tmp_path / "one", **changes), heard)
    assert scripted.commands.count("infer 1 0") == 18
    # Of 9 pairs of a normal and an anomalous file 6 are in order, and 3 are equal.
    assert unofficial(tmp_path / "one", "auc") == pytest.approx(7.5 / 9, abs=1e-5)
    assert summary.passed is False
    rows = json.loads((tmp_path / "one" / "results.json").read_text())
    assert [rows[0]["bytes_to_send"], rows[0]["stride"], rows[0]["total_length"]] == ["2560", "512", 3]
    with ScriptedDevice("ad01", reconstruction) as scripted:
        summary = run_session(settings(scripted, tmp_path / "data", tmp_path / "all", **changes), heard)
    assert unofficial(tmp_path / "all", "auc") == pytest.approx(7.5 / 9, abs=1e-5)


def test_results_that_are_no_shares_are_refused(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    with (
        ScriptedDevice(results=lambda sample: [0.5, -0.5] + [0.0] * 10) as scripted,
        pytest.raises(AnswerError, match=r"add up to 0: m-results-\[0.5,-0.5,"),
    ):
        run_session(settings(scripted, data, out), heard)


@pytest.mark.parametrize(
    ("scores", "words"),
    [([3.0, -1.0, -1.0], "go down to -1"), ([0.0, 0.0, 0.0], "add up to 0"), ([0.2, 0.9, -0.02], "go down to -0.02")],
)
def test_scores_without_a_softmax_are_refused_though_their_sum_is_positive(scores: list[float], words: str) -> None:
    with pytest.raises(AnswerError, match=f"{words}: m-results-"):
        accuracy.scores_of((*scores, *[0.0] * 9), bytes(490), BENCHMARKS["kws01"])


@pytest.mark.parametrize("name", ["kws01", "ad01"])
def test_results_that_overflow_are_no_result(name: str) -> None:
    benchmark = BENCHMARKS[name]
    values = (1e308, 1e308, *[0.0] * (benchmark.outputs - 2))
    with pytest.raises(AnswerError, match=r"go up to 1e\+308, which is too large"):
        accuracy.scores_of(values, bytes(benchmark.input_bytes), benchmark)


def test_a_share_just_below_zero_is_rounding() -> None:
    scores = accuracy.scores_of((0.5, 0.004, -0.004, *[0.0] * 9), bytes(490), BENCHMARKS["kws01"])
    assert scores[0] == pytest.approx(1.0)


def test_a_negative_squared_error_is_refused() -> None:
    with pytest.raises(AnswerError, match=r"result is -0.5, and a mean of squared differences is not negative"):
        accuracy.scores_of((-0.5,), bytes(2560), BENCHMARKS["ad01"])


def test_an_accuracy_of_other_files_than_the_official_ones_is_not_by_the_rules(tmp_path: Path, heard: Heard) -> None:
    data = write_keywords(tmp_path / "data", 12)
    with ScriptedDevice(results=by_first_byte) as scripted:
        summary = run_session(settings(scripted, data, tmp_path / "out"), heard)
    assert summary.invalid
    assert not summary.by_the_rules


def test_a_reference_that_cannot_be_run_is_said_before_a_device_is_bothered(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    with ScriptedDevice(results=by_first_byte) as scripted:
        with pytest.raises(ModelError):
            run_session(settings(scripted, data, out, reference=tmp_path / "none.tflite"), heard)
        with pytest.raises(ModelError):
            run_session(settings(scripted, data, out, mode="performance", reference=tmp_path / "none.tflite"), heard)
    assert scripted.commands == []
    assert not out.exists()


def test_what_is_missing_is_said_before_a_device_is_bothered(tmp_path: Path, heard: Heard) -> None:
    scripted = ScriptedDevice()
    with scripted:
        with pytest.raises(DatasetError, match="There is no folder"):
            run_session(settings(scripted, tmp_path / "none", tmp_path / "out"), heard)
        data = write_keywords(tmp_path / "data", 12)
        (data / "kws01" / "tst_000004.bin").unlink()
        with pytest.raises(DatasetError, match=r"line 5: .*tst_000004.bin does not exist"):
            run_session(settings(scripted, data, tmp_path / "out"), heard)
        with pytest.raises(SpecError, match="Energy mode needs a power monitor"):
            run_session(settings(scripted, data, tmp_path / "out", mode="energy"), heard)
    assert scripted.commands == []
    assert not (tmp_path / "out").exists()


def test_the_log_of_a_device_that_never_answers_is_kept(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    muted: Sequence[Piece] = [b"m-infer-start-1\r\n"]
    with (
        ScriptedDevice(answers=lambda command: muted if command.startswith("infer") else None) as scripted,
        pytest.raises(TargetError, match=r"'infer 1 0' with m-ready within 0.3 s; its last line is 'm-infer-start-1'"),
    ):
        run_session(settings(scripted, data, out, inference_seconds=0.3), heard)
    log = (out / "log.txt").read_text()
    assert "< m-infer-start-1" in log
    assert "# failed: The device did not end its answer to 'infer 1 0'" in log
