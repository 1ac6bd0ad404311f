"""What a folder of stored frames says of its pictures, for a dataset that they are imported into."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgerig.serve.video.keep.folder import INDEX, KeptFrame
from edgerig.store.transfer import LocalFile


def with_what_was_said(folder: Path, pictures: Sequence[LocalFile]) -> tuple[LocalFile, ...]:
    """Pictures of a folder with the time, the camera and what the network said of them; without its class maps.

    Lines of the index that cannot be read say nothing. A folder without an index stays as it is.
    """
    index = folder / INDEX
    if not index.is_file():
        return tuple(pictures)
    frames: dict[str, KeptFrame] = {}
    masks: set[str] = set()
    for line in index.read_bytes().splitlines():
        try:
            frame = msgspec.json.decode(line, type=KeptFrame)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        frames[frame.file] = frame
        if frame.mask is not None:
            masks.add(frame.mask)
    said = {name: _extra(frame) for name, frame in frames.items()}
    return tuple(
        msgspec.structs.replace(file, extra={**file.extra, **said.get(file.name, {})})
        for file in pictures
        if file.name not in masks
    )


def _extra(frame: KeptFrame) -> dict[str, str]:
    extra = {"time": frame.time, "camera": frame.source, "model": frame.model, "artifact": frame.artifact}
    if frame.confidence is not None:
        extra["confidence"] = f"{frame.confidence:.6g}"
    if isinstance(name := frame.prediction.get("class"), str):
        extra["prediction"] = name
    return extra
