"""The streaming wake word's list of recordings, and their wav files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.datasets.mlperf_tiny.conftest import MakeRecording, write_wav

from edgerig.datasets.mlperf_tiny.recordings import read_wav, recordings
from edgerig.errors import DatasetError


def test_wake_words_are_in_order_of_time(make_recording: MakeRecording) -> None:
    root = make_recording([(2.0, 2.5), (0.5, 1.1)])
    (recording,) = recordings(root / "sww01")
    assert recording.wake_words == ((0.5, 1.1), (2.0, 2.5))
    assert recording.seconds == 3.0
    samples = recording.read()
    assert samples.shape == (48_000,)
    assert samples.tolist() == np.random.RandomState(0).randint(-1000, 1000, 48_000).tolist()


@pytest.mark.parametrize("wav", ["x.wav", "sd_card/x.wav", "../sd_card/x.wav"])
def test_the_wav_file_lies_beside_the_list_or_where_the_runner_has_it(make_recording: MakeRecording, wav: str) -> None:
    (recording,) = recordings(make_recording(wav=wav) / "sww01")
    assert recording.path.name == "x.wav"
    assert recording.path.is_file()


def test_the_only_list_is_taken_and_one_of_several_has_to_be_named(make_recording: MakeRecording) -> None:
    folder = make_recording() / "sww01"
    (folder / "sww_long_test.json").rename(folder / "short.json")
    assert len(recordings(folder)) == 1
    (folder / "other.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"other.json, short.json"):
        recordings(folder)
    assert len(recordings(folder, "short.json")) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wav_file": "y.wav"}, "there is no y.wav"),
        ({"wav_file": "../../y.wav"}, "is no file within the folder"),
        ({"sample_rate": 8000}, "8,000 samples a second"),
        ({"length_sec": 1200.0}, "is to last 1200 s and lasts 3 s"),
        ({"detection_windows": [[1.0, 4.0]]}, "from 1 s to 4 s does not lie within 3 s"),
        ({"detection_windows": [[1.5, 1.0]]}, "from 1.5 s to 1 s"),
        ({"detection_windows": [[1.0, 2.0], [1.9, 2.5]]}, "two wake words overlap at 1.9 s"),
        ({"detection_windows": [[1.0]]}, "is no list of recordings: Expected `array` of length 2"),
        ({"detection_windows": "none"}, "is no list of recordings"),
    ],
)
def test_what_is_wrong_with_a_list_is_told(make_recording: MakeRecording, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DatasetError, match=said) as error:
        recordings(make_recording(**changes) / "sww01")
    assert "sww_long_test.json" in error.value.message


def test_a_recording_that_is_listed_twice_is_refused(make_recording: MakeRecording) -> None:
    path = make_recording() / "sww01" / "sww_long_test.json"
    (entry,) = json.loads(path.read_text())
    path.write_text(json.dumps([entry, {**entry, "wav_file": "./x.wav", "detection_windows": []}]))
    with pytest.raises(DatasetError, match=r"entry 2: \./x\.wav is listed already in entry 1, and would count twice"):
        recordings(path.parent)


@pytest.mark.parametrize("text", ["", "{}", "[]", "[{}]", "[1"])
def test_a_file_that_is_no_list_is_told(make_recording: MakeRecording, text: str) -> None:
    folder = make_recording() / "sww01"
    (folder / "sww_long_test.json").write_text(text)
    with pytest.raises(DatasetError, match=r"sww_long_test.json"):
        recordings(folder)


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 1), (16_000, 2)])
def test_sound_of_another_form_is_told(tmp_path: Path, rate: int, channels: int) -> None:
    write_wav(tmp_path / "x.wav", np.zeros(400), rate, channels)
    with pytest.raises(DatasetError, match=f"{channels} channels of 16 bits, {rate:,} samples"):
        read_wav(tmp_path / "x.wav")


def test_a_file_that_is_no_wav_or_cut_off_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with pytest.raises(DatasetError, match=r"Cannot read"):
        read_wav(path)
    path.write_bytes(b"no wav")
    with pytest.raises(DatasetError, match=r"as a wav file"):
        read_wav(path)
    write_wav(path, np.zeros(400))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"cut off"):
        read_wav(path)
