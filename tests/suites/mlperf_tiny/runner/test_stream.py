"""The streaming wake word: windows of a recording over the line, false positives and negatives of what comes back."""

import json
import wave
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.heard import Heard
from tests.suites.mlperf_tiny.runner.scripted import Piece, ScriptedDevice
from tests.suites.mlperf_tiny.runner.sessions import settings

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.errors import AnswerError, DatasetError
from edgerig.suites.mlperf_tiny.runner.run import run_session
from edgerig.suites.mlperf_tiny.runner.scoring import target_met
from edgerig.suites.mlperf_tiny.runner.stream import FALSE_NEGATIVES, FALSE_POSITIVES, detections, stream_parts
from edgerig.tasks.judgement import MetricValue, Quality

SWW = BENCHMARKS["sww01"]
WORDS = ((1.5, 2.0), (4.0, 4.6))


def write_recording(root: Path, seconds: float = 6.0) -> Path:
    """Silence, and noise where a word is said."""
    samples = np.zeros(int(seconds * 16_000))
    for begin, end in WORDS:
        span = slice(int(begin * 16_000), int(end * 16_000))
        samples[span] = np.random.RandomState(0).randint(-20_000, 20_000, samples[span].size)
    (root / "sww01").mkdir(parents=True)
    with wave.open(str(root / "sww01" / "x.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.astype("<i2").tobytes())
    entry = {"wav_file": "x.wav", "sample_rate": 16_000, "length_sec": seconds, "detection_windows": WORDS}
    (root / "sww01" / "sww_long_test.json").write_text(json.dumps([entry]))
    return root


def hears_noise(sample: bytes) -> list[float]:
    """The wake word where the last row of features is loud."""
    loud = np.frombuffer(sample, np.int8)[-40:].mean() > 0
    return [0.97, 0.02, 0.01] if loud else [0.01, 0.9, 0.09]


def test_the_parts_of_a_recording_are_its_windows_one_after_another(tmp_path: Path) -> None:
    parts = stream_parts(write_recording(tmp_path) / "sww01", SWW)
    windows = [window for part in parts for window in part.windows()]
    # A row of 40 features each 512 samples, of 1024; 30 rows a window.
    rows = (6 * 16_000 - 1024) // 512 + 1
    assert len(windows) == rows - 29
    assert all(len(window) == 1200 for window in windows)
    assert all(later[:-40] == earlier[40:] for earlier, later in pairwise(windows))
    assert len(parts) >= 5


@pytest.mark.parametrize(
    ("results", "counts"),
    [
        (hears_noise, (0, 0, 2)),
        (lambda sample: [0.1, 0.8, 0.1], (0, 2, 0)),
        # All the time: before the first word, more than a second after it, and after the second.
        (lambda sample: [0.96, 0.03, 0.01], (3, 0, 2)),
        # Not above the threshold of the reference.
        (lambda sample: [0.95, 0.04, 0.01], (0, 2, 0)),
    ],
)
def test_false_positives_and_negatives_are_counted(
    tmp_path: Path, heard: Heard, results: object, counts: tuple[int, int, int]
) -> None:
    data = write_recording(tmp_path / "data")
    with ScriptedDevice("sww01", results) as device:  # type: ignore[arg-type]
        summary = run_session(settings(device, data, tmp_path / "out", benchmark=SWW), heard)
    assert summary.quality is not None
    assert tuple(int(metric.value) for metric in summary.quality.metrics) == counts
    # Eight errors are for twenty minutes: a few seconds with fewer do not reach the target.
    assert summary.passed is None
    assert any("lasts 5 s" in warning for warning in summary.warnings)
    assert summary.invalid == ("The official recording lasts 1200 s, and what was run is shorter.",)
    assert not summary.by_the_rules
    false, missed, right = counts
    line = f"In this run: {right} true positives, {missed} false negatives, {false} false positives"
    assert line in (tmp_path / "out" / "results.txt").read_text()
    assert "at most 8 false positives" in (tmp_path / "out" / "edgerig" / "report.html").read_text()


def test_a_long_recording_goes_on_at_the_part_where_it_stopped(tmp_path: Path, heard: Heard) -> None:
    data, out = write_recording(tmp_path / "data"), tmp_path / "out"

    def fail_once(command: str) -> Sequence[Piece] | None:
        fails = command == "infer 1 0" and device.commands.count(command) == 100
        return [b"e-[no]\r\nm-ready\r\n"] if fails else None

    with ScriptedDevice("sww01", hears_noise, answers=fail_once) as device:
        with pytest.raises(AnswerError):
            run_session(settings(device, data, out, benchmark=SWW), heard)
        summary = run_session(settings(device, data, out, benchmark=SWW), heard)
    part = len(stream_parts(data / "sww01", SWW)[0].windows())
    windows = sum(len(part.windows()) for part in stream_parts(data / "sww01", SWW))
    assert device.commands.count("infer 1 0") == windows + 100 - 99 // part * part
    assert summary.files == len(stream_parts(data / "sww01", SWW))


def test_the_target_is_that_of_the_official_length() -> None:
    def quality(false: int, missed: int, seconds: float) -> Quality:
        values = ((FALSE_POSITIVES, false), (FALSE_NEGATIVES, missed))
        metrics = tuple(MetricValue(name=name, value=count, higher_is_better=False, unit="") for name, count in values)
        return Quality(samples=int(seconds / 0.032), metrics=metrics)

    assert target_met(SWW, quality(8, 8, 1199)) is True
    assert target_met(SWW, quality(9, 0, 1199)) is False
    assert target_met(SWW, quality(0, 9, 60)) is False
    assert target_met(SWW, quality(0, 0, 60)) is None


def test_detections_are_matched_as_the_official_runner_does() -> None:
    # Within a word, and up to a second after its end; several in one word are one; the word's own are taken first.
    assert detections([1000, 2500], [(1.0, 1.5)]) == (0, 0, 1)
    assert detections([999, 2501], [(1.0, 1.5)]) == (2, 1, 0)
    # False ones within a second of one that counts are part of it, and the next after that counts again.
    assert detections([5000, 5900, 6000, 6001, 7200], []) == (3, 0, 0)
    # A false one just before a word does not hide it.
    assert detections([900, 1100], [(1.0, 1.5)]) == (1, 0, 1)


@hypothesis_settings(max_examples=200, deadline=None)
@given(
    times=st.lists(st.integers(0, 400), unique=True).map(lambda steps: [32 * step + 64 for step in sorted(steps)]),
    borders=st.lists(st.integers(0, 128), unique=True, max_size=12).map(sorted),
)
def test_counts_are_those_of_arrays_of_times(times: list[int], borders: list[int]) -> None:
    """By masks over an array, with the comparisons of the official runner: seconds for words, milliseconds among
    detections. Both borders belong to a word, and a second after one that counts is still its own."""
    words = [(begin / 10, end / 10) for begin, end in zip(borders[::2], borders[1::2], strict=False)]
    left, hits = np.array(times), 0
    for begin, end in words:
        mask = (left / 1000 >= begin) & (left / 1000 <= end + 1.0)
        hits += bool(mask.any())
        left = left[~mask]
    counted = 0
    while len(left):
        counted += 1
        left = left[left > left[0] + 1000]
    assert detections(times, words) == (counted, len(words) - hits, hits)


def test_a_recording_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data" / "sww01").mkdir(parents=True)
    write_recording(tmp_path / "other", 5.0)
    listed = json.loads((tmp_path / "other" / "sww01" / "sww_long_test.json").read_text())
    with wave.open(str(tmp_path / "data" / "sww01" / "x.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000))
    listed[0] |= {"length_sec": 1.0, "detection_windows": []}
    (tmp_path / "data" / "sww01" / "sww_long_test.json").write_text(json.dumps(listed))
    with pytest.raises(DatasetError, match="too short for five windows"):
        stream_parts(tmp_path / "data" / "sww01", SWW)
