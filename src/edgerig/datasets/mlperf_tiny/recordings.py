"""The recordings of the streaming wake word: ``ROOT/sww01/*.json`` says what is heard when, in which wav file.

Source: the folder of MLCommons' runner, whose ``sww_long_test.json`` lists objects of ``wav_file``, ``sample_rate``,
``length_sec`` and ``detection_windows``, pairs of seconds from the begin to the end of a wake word.
"""

from __future__ import annotations

import wave
from itertools import pairwise
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import DatasetError

#: The list of the official test, of 20 minutes.
OFFICIAL = "sww_long_test.json"
#: Folders in which the wav files lie, from the list's own: the runner plays them from a card of its interface board.
CARDS = (".", "sd_card", "../sd_card")
#: Samples a second, and bytes of one.
RATE, SAMPLE_BYTES = 16_000, 2
_FORM = (
    'It holds a list of {"wav_file": "x.wav", "sample_rate": 16000, "length_sec": 10.0, "detection_windows": '
    "[[1.0, 1.6]]}, times in seconds."
)


class Recording(msgspec.Struct, frozen=True):
    """A wav file and the wake words in it.

    Attributes:
        path: The wav file: one channel of int16, 16,000 samples a second.
        wake_words: Begin and end of each in seconds, ascending.
        samples: Number of its samples.
    """

    path: Path
    wake_words: tuple[tuple[float, float], ...]
    samples: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.samples / RATE

    def read(self) -> NDArray[np.int16]:
        """Its samples, shape (samples,).

        Raises:
            DatasetError: It cannot be read.
        """
        return read_wav(self.path)


class _Entry(msgspec.Struct):
    wav_file: str
    detection_windows: list[tuple[float, float]]
    length_sec: float | None = None
    sample_rate: int = RATE


def recordings(folder: Path, name: str | None = None) -> list[Recording]:
    """The recordings of a folder.

    Args:
        folder: That of the benchmark.
        name: The file with the list; by default the official one, or the only one that there is.

    Raises:
        DatasetError: The list or a wav file is missing, not of the form, listed twice, or they contradict each other;
            names the list's entry.
    """
    path = folder / name if name else _list_in(folder)
    entries = _decode(path)
    if not entries:
        raise DatasetError(f"{path} lists no recording.", _FORM)
    listed: dict[Path, int] = {}
    result = []
    for number, entry in enumerate(entries, 1):
        recording = _recording(path, entry, f"{path}, entry {number}")
        first = listed.setdefault(recording.path, number)
        if first != number:
            raise DatasetError(
                f"{path}, entry {number}: {entry.wav_file} is listed already in entry {first}, and would count twice.",
                "Take out one entry; all wake words of a recording stand in one.",
            )
        result.append(recording)
    return result


def read_wav(path: Path) -> NDArray[np.int16]:
    """The samples of a wav file of one channel of int16, 16,000 a second, shape (samples,).

    Raises:
        DatasetError: It cannot be read, or is of another form.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate, count, *_ = file.getparams()
            if (channels, width, rate) != (1, SAMPLE_BYTES, RATE):
                raise DatasetError(
                    f"{path} has {channels} channels of {8 * width} bits, {rate:,} samples a second.",
                    f"It must be one channel of 16 bits with {RATE:,} samples a second: convert it, e.g. with sox.",
                )
            data = file.readframes(count)
    except (OSError, EOFError, wave.Error) as error:
        raise DatasetError(f"Cannot read {path} as a wav file: {error or 'it is cut off'}.") from error
    if len(data) != count * SAMPLE_BYTES:
        raise DatasetError(f"{path} was cut off: its header tells {count:,} samples, {len(data) // 2:,} follow.")
    return np.frombuffer(data, "<i2")


def _list_in(folder: Path) -> Path:
    if (folder / OFFICIAL).is_file():
        return folder / OFFICIAL
    lists = sorted(folder.glob("*.json"))
    if len(lists) != 1:
        names = ", ".join(path.name for path in lists)
        raise DatasetError(
            f"{folder} has {names or 'no list of recordings'}, and not {OFFICIAL}.",
            "Name the list to take: the setting `list`." if lists else _FORM,
        )
    return lists[0]


def _decode(path: Path) -> list[_Entry]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[_Entry])
    except OSError as error:
        raise DatasetError(f"Cannot read {path}: {error.strerror}.", _FORM) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} is no list of recordings: {error}.", _FORM) from error


def _recording(path: Path, entry: _Entry, where: str) -> Recording:
    name = PurePosixPath(entry.wav_file)
    if not entry.wav_file or name.is_absolute() or ".." in name.parts:
        raise DatasetError(f"{where}: {entry.wav_file!r} is no file within the folder.", _FORM)
    wav = next((path.parent / card / name for card in CARDS if (path.parent / card / name).is_file()), None)
    if wav is None:
        raise DatasetError(
            f"{where}: there is no {entry.wav_file} in {path.parent}.",
            "Put it beside the list, or into a folder sd_card there.",
        )
    if entry.sample_rate != RATE:
        raise DatasetError(f"{where}: {entry.sample_rate:,} samples a second; it must be {RATE:,}.")
    samples = len(read_wav(wav))
    if entry.length_sec is not None and abs(entry.length_sec - samples / RATE) > 1:
        raise DatasetError(
            f"{where}: {entry.wav_file} is to last {entry.length_sec:g} s and lasts {samples / RATE:.4g} s.",
            "Is it the file that the list was made for?",
        )
    words = sorted(entry.detection_windows)
    for begin, end in words:
        if not 0 <= begin < end <= samples / RATE:
            raise DatasetError(
                f"{where}: a wake word from {begin:g} s to {end:g} s does not lie within {samples / RATE:.4g} s.", _FORM
            )
    for (_, end), (begin, _) in pairwise(words):
        if begin < end:
            raise DatasetError(f"{where}: two wake words overlap at {begin:g} s.", _FORM)
    return Recording(wav.resolve(), tuple(words), samples)
