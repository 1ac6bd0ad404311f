"""Datasets of small pictures in folders, servers of the page for them, and pages without a browser."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need_module
from tests.serve.video.clients import Socket

from edgerig.datasets.labels.canonical import from_json
from edgerig.datasets.labels.shapes import ImageLabels
from edgerig.serve.labels.server import LabelServer
from edgerig.store import Entry, Version, open_dataset

CLASSES = ("car", "road", "tree")
WIDTH, HEIGHT = 320, 240
_ids = itertools.count()


def image(width: int = WIDTH, height: int = HEIGHT, kind: str = "PNG", orientation: int = 1) -> bytes:
    """A picture as a file: its upper left quarter is red, as it is stored."""
    from PIL import Image

    pixels = np.full((height, width, 3), 110, np.uint8)
    pixels[: height // 2, : width // 2] = (200, 30, 30)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, exif=exif)
    return buffer.getvalue()


def make(address: str | Path, files: dict[str, bytes], classes: tuple[str, ...] = CLASSES, **fields: Any) -> Version:
    """A dataset of these files; ``fields`` are of each entry."""
    versions, _ = open_dataset(str(address), writing=True)
    stored = {name: versions.store.objects.add(data) for name, data in files.items()}
    entries = [Entry(name=name, sha256=each.sha256, size=each.size, **fields) for name, each in stored.items()]
    return versions.commit(entries, base=None, classes=classes)


def newest(address: str | Path) -> Version:
    return open_dataset(str(address))[0].read()


def labels_in(address: str | Path, name: str) -> ImageLabels:
    """The labels of a picture in the newest version."""
    versions, _ = open_dataset(str(address))
    annotation = versions.read().by_name()[name].annotation
    assert annotation is not None
    return from_json(versions.store.objects.get(annotation))


@contextmanager
def labelling(folder: Path, **settings: Any) -> Iterator[LabelServer]:
    """A server for the dataset ``folder/street``, or another ``dataset``, with its journal in ``folder/journal``."""
    need_module("wsproto", "wsproto")
    settings = {"dataset": str(folder / "street"), "journal": folder / "journal", "listen": "127.0.0.1:0", **settings}
    with LabelServer(**settings) as server:
        yield server


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """The folder of a dataset ``street`` of three pictures."""
    pytest.importorskip("obstore")
    make(
        tmp_path / "street",
        {f"{number}.png": image() for number in range(2)} | {"turned.jpg": image(kind="JPEG", orientation=6)},
    )
    return tmp_path


class Page:
    """What a page says and hears, over a real WebSocket."""

    def __init__(self, port: int, name: str = "Ann", **headers: Any) -> None:
        self.socket, self.heard = Socket(port, "/labels/live", **headers), list[dict[str, Any]]()
        if self.socket.status == 101:
            self.say({"type": "hello", "name": name})
            self.welcome = self.hear("welcome")

    def say(self, message: dict[str, Any] | str) -> None:
        self.socket.send(message if isinstance(message, str) else json.dumps(message))

    def next(self) -> dict[str, Any]:
        text = self.socket.receive()
        assert isinstance(text, str), text
        message: dict[str, Any] = json.loads(text)
        self.heard.append(message)
        return message

    def hear(self, *types: str) -> dict[str, Any]:
        """The next message of one of these types."""
        while (message := self.next())["type"] not in types:
            pass
        return message

    def open(self, picture: str) -> dict[str, Any]:
        self.say({"type": "open", "picture": picture})
        return self.hear("picture", "problem")

    def do(self, picture: str, operation: dict[str, Any], id_: str | None = None, upon: int = 0) -> dict[str, Any]:
        """Do something, and hear what the server says of it: taken or refused."""
        id_ = id_ or f"op{next(_ids)}"
        self.say({"type": "do", "picture": picture, "id": id_, "upon": upon, "operation": operation})
        while (message := self.hear("taken", "refused", "problem")).get("id", id_) != id_:
            pass
        return message

    def close(self) -> None:
        self.socket.__exit__(None, None, None)


def stroke(
    *points: int, mask: str = "mask:0", label: str = "car", radius: int = 4, erase: bool = False
) -> dict[str, Any]:
    return {"kind": "stroke", "mask": mask, "label": label, "radius": radius, "points": points, "erase": erase}


def box(id_: str, *sides: float, label: str = "car") -> dict[str, Any]:
    return {"kind": "put", "shape": {"type": "box", "id": id_, "label": label, "box": sides}}
