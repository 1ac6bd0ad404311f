"""Captured pictures on this machine until they are in the store: a capture that is killed, or without a network, loses
none, and the next one of the same source to the same dataset takes them along."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import msgspec

from edgerig import files
from edgerig.errors import storing
from edgerig.serve.video.capture.choosing import Chosen
from edgerig.store.transfer import LocalFile

#: Quality of JPEGs: of a photo it takes a third of a PNG's bytes, and classes are recognised as well.
QUALITY = 95
Format = Literal["jpg", "png"]


class Note(msgspec.Struct, frozen=True):
    """What is known of a picture, beside it: its entry's name and what else the entry says."""

    name: str
    extra: dict[str, str]


class Spool:
    """The folder of the pictures of one source that wait for one dataset.

    Args:
        dataset: Its `edgerig.store.Versions.identity`.
        source: Address of the source.
    """

    def __init__(self, dataset: str, source: str) -> None:
        if Path(source).exists():
            source = str(Path(source).resolve())
        self.folder = files.state_folder() / "capture" / files.digest([dataset, source])[:16]
        with storing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def add(self, chosen: Chosen, camera: str, name: str, format: Format) -> str:
        """Store a frame; returns the name of its entry.

        Args:
            camera: The source, without a password.
            name: How the camera is called in names.
        """
        from PIL import Image

        data = io.BytesIO()
        image = Image.fromarray(chosen.pixels)
        image.save(data, "JPEG", quality=QUALITY) if format == "jpg" else image.save(data, "PNG")
        moment = chosen.time.replace("-", "").replace(":", "").replace("+0000", "Z") if chosen.time else None
        stem = moment or (f"{chosen.seconds:012.3f}" if chosen.seconds is not None else f"frame-{chosen.frame:08d}")
        extra = {"camera": camera, "frame": str(chosen.frame)}
        extra |= {"time": chosen.time} if chosen.time else {}
        extra |= {"seconds": f"{chosen.seconds:.3f}"} if chosen.seconds is not None else {}
        note = Note(f"{name}/{stem}.{format}", extra)
        identity = files.sha256(note.name.encode())[:24]
        # The note last: a picture without one was never whole.
        files.write_bytes(self.folder / f"{identity}.{format}", data.getvalue())
        files.write_bytes(self.folder / f"{identity}.{format}.json", msgspec.json.encode(note))
        files.sync_folder(self.folder)
        return note.name

    def waiting(self) -> list[LocalFile]:
        """The pictures that wait, those of earlier captures among them."""
        result = []
        for path in sorted(self.folder.glob("[!.]*.json")):
            if not path.with_suffix("").is_file():
                continue
            try:
                note = msgspec.json.decode(path.read_bytes(), type=Note)
            except msgspec.MsgspecError:
                continue
            result.append(LocalFile(path=path.with_suffix(""), name=note.name, extra=note.extra))
        return result

    def clear(self, sent: list[LocalFile]) -> None:
        """Remove the pictures that are in the store now."""
        for file in sent:
            file.path.with_name(f"{file.path.name}.json").unlink(missing_ok=True)
            file.path.unlink(missing_ok=True)
