"""A session's journal, changed by hand or by a disk: what is wrong is told, the rest kept, and no figure is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.heard import Heard
from tests.suites.mlperf_tiny.runner.scripted import Piece, ScriptedDevice
from tests.suites.mlperf_tiny.runner.sessions import by_first_byte, settings, write_keywords

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.errors import AnswerError, StorageError
from edgerig.suites.mlperf_tiny.runner.device import Identity
from edgerig.suites.mlperf_tiny.runner.journal import read_journal
from edgerig.suites.mlperf_tiny.runner.record_checks import record_check
from edgerig.suites.mlperf_tiny.runner.records import ColdRecord, FileRecord, ProbeRecord, SessionKey, WindowRecord
from edgerig.suites.mlperf_tiny.runner.run import run_session
from edgerig.suites.mlperf_tiny.runner.samples import samples_in

KWS = BENCHMARKS["kws01"]
KEY = SessionKey(
    benchmark="kws01", mode="accuracy", device=Identity("a", "b", "c"), samples="", window_seconds=10, warm_up=10
)
SCORES = (0.5, 0.5, *[0.0] * 10)
#: Turns a record's line, as it was written, into another.
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_keywords(tmp_path_factory.mktemp("journal"), 6)


def file_record(index: int) -> FileRecord:
    return FileRecord(index=index, file=f"tst_{index:06}.bin", label=index, outputs=(SCORES,), seconds=0.001)


def window_record(index: int) -> WindowRecord:
    return WindowRecord(
        index=index,
        file=f"tst_{index:06}.bin",
        label=index,
        iterations=100,
        warm_up=10,
        seconds=10.5,
        host_seconds=10.5,
        trip_seconds=11.0,
        outputs=SCORES,
    )


def changed(record: Any, **fields: Any) -> bytes:
    return json.dumps({**msgspec.to_builtins(record), **fields}).encode()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "no record of this version"),
        (b"{", "no record of this version"),
        (b"\xff\xfe", "no record of this version"),
        (b"[" * 100_000, "no record of this version"),
        (b'{"type":"file","x":' + b"[" * 100_000, "no record of this version"),
        (b"null", "no record of this version"),
        (changed(file_record(2), type="picture"), "Invalid value 'picture'"),
        (changed(file_record(2), extra=1), "contains unknown field `extra`"),
        (changed(file_record(2), index="2"), "Expected `int`, got `str`"),
        (changed(file_record(2), index=-1), "Expected `int` >= 0"),
        (changed(file_record(2), index=10**30), "and 6 files are run"),
        (changed(file_record(2), seconds=-0.5), "Expected `float` >= 0.0"),
        (changed(file_record(2)).replace(b"0.001", b"1e999"), "Number out of range"),
        (changed(file_record(2)).replace(b"0.001", b"NaN"), "no record of this version"),
        (changed(file_record(2), index=6), "its index is 6, and 6 files are run"),
        (
            changed(file_record(2), index=3),
            "its index is that of tst_000003.bin with the label 3, and its file is another",
        ),
        (changed(file_record(2), label=1), "its index is that of tst_000002.bin with the label 2"),
        (changed(file_record(2), outputs=[]), "results of 0 inferences, and tst_000002.bin takes 1"),
        (changed(file_record(2), outputs=[SCORES, SCORES]), "results of 2 inferences"),
        (changed(file_record(2), outputs=[[1.0]]), "has 12 results, and it has others"),
        (changed(file_record(2), outputs=[[0.5] * 12]), "no shares of classes"),
        (changed(file_record(2), outputs=[[2.0, -1.0, *[0.0] * 10]]), "no shares of classes"),
        (changed(file_record(0)), "the same was recorded before"),
        (changed(window_record(2)), "it is no record of accuracy mode"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_and_the_others_are_kept(
    root: Path, tmp_path: Path, line: bytes, said: str
) -> None:
    path = tmp_path / "journal.jsonl"
    good = [msgspec.json.encode(file_record(index)) for index in (0, 1)]
    path.write_bytes(b"\n".join([msgspec.json.encode(KEY), good[0], line, good[1], b""]))
    journal = read_journal(path, KEY, record_check(KEY, KWS, samples_in(root, KWS), with_energy=False))
    assert journal.records == [file_record(0), file_record(1)]
    (sentence,) = journal.dropped
    assert sentence.startswith(f"{path}, line 3: ")
    assert said in sentence
    assert "\n" not in sentence
    assert journal.data() == b"\n".join([msgspec.json.encode(KEY), *good, b""])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (changed(file_record(1)), "it is no record of performance mode"),
        (changed(window_record(1), index=5), "its index is 5, and 5 files are run"),
        (changed(window_record(1), warm_up=0), "its warm-up is 0, and the session's 10"),
        (changed(window_record(1), seconds=9.0), "its window lasts 9 s, and 10 s are asked for"),
        (changed(window_record(1), outputs=[1.0]), "it has 1 results"),
        (changed(window_record(1), iterations=0), "Expected `int` >= 1"),
        (changed(window_record(1), host_seconds=0.0), "Expected `float` > 0.0"),
        (changed(window_record(1), trip_seconds=0), "Expected `float` > 0.0"),
        (
            changed(window_record(1), energy={"joules": 1.0, "uncertainty": 0.1, "seconds": 1.0, "samples": 9}),
            "it has an energy that nothing measured",
        ),
        (changed(ColdRecord(seconds=1.0, iterations=9, trip_seconds=1.0)), "the same was recorded before"),
        (changed(ProbeRecord(iterations=9, plain=1.0, warmed=1.0, doubled=2.0), plain=-1.0), "Expected `float` >= 0.0"),
    ],
)
def test_so_of_windows(root: Path, tmp_path: Path, line: bytes, said: str) -> None:
    key = msgspec.structs.replace(KEY, mode="performance")
    cold = ColdRecord(seconds=0.1, iterations=100, trip_seconds=0.1)
    path = tmp_path / "journal.jsonl"
    lines = [msgspec.json.encode(part) for part in (key, cold, window_record(0))]
    path.write_bytes(b"\n".join([*lines, line, b""]))
    journal = read_journal(path, key, record_check(key, KWS, samples_in(root, KWS), with_energy=False))
    assert journal.records == [cold, window_record(0)]
    (sentence,) = journal.dropped
    assert said in sentence


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (b"", "of another version of edgerig, or one that was changed"),
        (b"{}", "missing required field"),
        (b"[" * 100_000, "of another version of edgerig"),
        (b"\x00\xff", "of another version of edgerig"),
        (changed(KEY, format=2), "contains unknown field `format`"),
        (changed(KEY, mode="speed"), "Invalid enum value 'speed'"),
        (changed(KEY, warm_up=3), "an unfinished session of something else: its warm up is 3"),
    ],
)
def test_the_session_of_a_first_line_that_is_another_is_not_gone_on_with(
    tmp_path: Path, first: bytes, said: str
) -> None:
    path = tmp_path / "edgerig" / "journal.jsonl"
    path.parent.mkdir()
    path.write_bytes(first + b"\n" + msgspec.json.encode(file_record(0)) + b"\n")
    with pytest.raises(StorageError) as error:
        read_journal(path, KEY, lambda _: "")
    assert said in error.value.message
    assert "\n" not in error.value.message


@pytest.mark.parametrize("end", [b"\r\n", b" \n"])
def test_ends_of_lines_and_an_end_that_is_missing_are_no_damage(root: Path, tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    lines = [msgspec.json.encode(part) for part in (KEY, file_record(0), file_record(1))]
    path.write_bytes(end.join(lines))
    journal = read_journal(path, KEY, record_check(KEY, KWS, samples_in(root, KWS), with_energy=False))
    assert journal.records == [file_record(0), file_record(1)]
    assert not journal.dropped


@hypothesis_settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_is_done_to_the_bytes_nothing_else_is_lost(
    root: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.jsonl"
    lines = [msgspec.json.encode(part) for part in (KEY, *(file_record(index) for index in range(6)))]
    target = data.draw(st.integers(1, 6))
    line = bytearray(lines[target])
    start = data.draw(st.integers(0, len(line)))
    line[start : start + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    path.write_bytes(b"".join(part + b"\n" for part in (*lines[:target], bytes(line), *lines[target + 1 :])))
    journal = read_journal(path, KEY, record_check(KEY, KWS, samples_in(root, KWS), with_energy=False))
    others = [file_record(index) for index in range(6) if index != target - 1]
    assert [record for record in journal.records if record in others] == others
    assert len(journal.records) + (len(journal.dropped) > 0) >= 6


def test_a_session_goes_on_with_what_is_right_of_a_changed_journal(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"

    def fails_at_the_eighth(command: str) -> Sequence[Piece] | None:
        return [b"e-[no]\r\nm-ready\r\n"] if scripted.commands.count("infer 1 0") == 8 else None

    with ScriptedDevice(results=by_first_byte, answers=fails_at_the_eighth) as scripted, pytest.raises(AnswerError):
        run_session(settings(scripted, data, out), heard)
    journal = out / "edgerig" / "journal.jsonl"
    lines = journal.read_text().splitlines()
    assert len(lines) == 8
    lines[2] = lines[2][:40]
    lines[5] = lines[5].replace('"label":', '"label":1')
    journal.write_text("\n".join(lines) + "\n")
    with ScriptedDevice(results=by_first_byte) as scripted:
        summary = run_session(settings(scripted, data, out), heard)
    assert scripted.commands.count("infer 1 0") == 12 - 7 + 2
    assert summary.quality is not None
    assert summary.quality.metrics[0].value == 10 / 12
    said = [line for line in heard.lines if "is run again" in line]
    assert [line.partition(": ")[0].rpartition(" ")[2] for line in said] == ["3", "6"]
    assert all(line in (out / "log.txt").read_text() for line in said)
    assert len(journal.read_text().splitlines()) == 1 + 12


@pytest.mark.parametrize("name", ["edgerig", "edgerig/journal.jsonl", "log.txt"])
def test_a_file_or_folder_in_the_way_is_told(tmp_path: Path, heard: Heard, name: str) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    if name == "edgerig":
        out.mkdir()
        (out / name).write_text("")
    else:
        (out / name).mkdir(parents=True)
    with ScriptedDevice(results=by_first_byte) as scripted, pytest.raises(StorageError):
        run_session(settings(scripted, data, out), heard)
