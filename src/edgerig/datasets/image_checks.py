"""Whether image files are whole: each is decoded to its last pixel, which a look at its beginning does not tell."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgerig.datasets.images import SUFFIXES, unusable, upright_pixels
from edgerig.datasets.labels.problems import Problems
from edgerig.errors import DatasetError, MissingExtraError
from edgerig.progress import Progress
from edgerig.store.parallel import in_parallel
from edgerig.store.transfer import LocalFile
from edgerig.text import counted

#: Threads that decode: each holds one image, and a decoder takes one core.
DECODERS = min(4, os.cpu_count() or 1)
#: Markers of JPEG (ITU-T T.81, table B.1): start and end of an image, start of a scan; those without a length.
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_BARE = {0x01, *range(0xD0, 0xD8), _SOI}


class Verdict(NamedTuple):
    """What decoding an image told.

    Attributes:
        error: Why it cannot be used; None where it can.
        frames: How many pictures its file holds, of which the first is used.
    """

    error: DatasetError | None
    frames: int = 1


def examine_image(path: Path) -> Verdict:
    """Decode an image file whole, as `edgerig.datasets.images.read_image` does for colour.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("Reading pictures", "images", "PIL") from error
    try:
        with warnings.catch_warnings():
            # Odd metadata, and sizes that Pillow finds suspicious, are no faults of the pixels.
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                # Cameras store a preview behind the picture, which makes an MPO of a JPEG and no animation.
                frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
                kind = image.format
                upright_pixels(image, 3)
        if kind in ("JPEG", "MPO") and not _jpeg_ends(path.read_bytes()):
            raise OSError("it is cut off: the end of its pixels is missing")
    except Exception as error:  # Pillow's decoders have no common error
        return Verdict(unusable(path, error))
    return Verdict(None, frames)


def usable(files: Sequence[LocalFile], problems: Problems, progress: Progress) -> list[LocalFile]:
    """Those files whose pixels can be decoded, in their order; what is wrong with the others is added to ``problems``.

    `DECODERS` are decoded at a time. What has another suffix than images have is taken for what it is.
    """
    pictures = [file for file in files if file.path.suffix.lower() in SUFFIXES]
    bad: dict[str, DatasetError] = {}
    several = 0
    with progress.task(f"Decoding {counted(len(pictures), 'picture')}", len(pictures)) as task:
        for name, verdict in in_parallel(lambda file: (file.name, examine_image(file.path)), pictures, DECODERS):
            if verdict.error is not None:
                bad[name] = verdict.error
            several += verdict.frames > 1
            task.advance()
    for name in sorted(bad):
        problems.add(bad[name])
    problems.change("Of several pictures in one file the first is used: {}.", several, "file")
    return [file for file in files if file.name not in bad]


def _jpeg_ends(data: bytes) -> bool:
    """Whether a JPEG's first scan is followed by an end of image: decoders fill up what is missing, of a file that a
    power cut has left full of zeros, without an error."""
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return True  # a form that is not known here: the decoder has taken it
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in _BARE:
            position += 2
        elif marker == _SOS:
            return data.find(bytes((0xFF, _EOI)), position) >= 0
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return False
