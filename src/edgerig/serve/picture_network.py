"""A served network as a page of pictures sees it: a picture's file in, what the network says of it out."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import Overloaded
from edgerig.serve.digit_network import network_time
from edgerig.serve.picture import Picture, decode_picture
from edgerig.serve.pool import Pool
from edgerig.serve.video.answers import Answer, shares_of
from edgerig.serve.video.overlay import jpeg_of
from edgerig.serve.video.pipeline import NetworkView

Array = NDArray[Any]
#: Longest side of a picture that is sent back, in pixels.
SHOWN_SIDE = 1600
#: Classes and boxes that are told at most.
MOST_ROWS = 100
#: Pictures that may wait to be decoded; each holds its file in memory.
WAITING = 8


class _Prepared(NamedTuple):
    picture: Picture
    inputs: Mapping[str, Array]
    decode: float
    prepare: float


class PictureNetwork:
    """Asks a network about pictures, one decoded at a time.

    Args:
        view: How pictures come to the network, and what its answers mean. pool: Runs it.
    """

    def __init__(self, view: NetworkView, pool: Pool) -> None:
        self.view, self._pool = view, pool
        self._worker = ThreadPoolExecutor(1, "pictures")
        self._waiting = 0

    async def ask(self, data: bytes) -> dict[str, Any]:
        """What the network says of the picture in the file with the content ``data``, as the page's JSON has it.

        Raises:
            RequestError: It is no picture. Overloaded: Too many wait. EdgerigError: The network failed of it.
        """
        if self._waiting >= WAITING:
            raise Overloaded(f"{WAITING} pictures wait already; try again later.")
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            prepared = await loop.run_in_executor(self._worker, self._prepare, data)
            start = time.perf_counter()
            answer = await self._pool.infer(prepared.inputs)
            spent = 1e3 * (time.perf_counter() - start)
            shown = await loop.run_in_executor(self._worker, self._show, prepared.picture, answer.outputs)
        finally:
            self._waiting -= 1
        queue, network = answer.queue_ns / 1e6, answer.network_ns / 1e6
        times = {
            "decode": prepared.decode,
            "prepare": prepared.prepare,
            "queue": queue,
            # Two clocks: a device's may run ahead of this one by a hair.
            "transport": max(0.0, spent - queue - network),
        }
        rounded = {name: round(value, 3) for name, value in times.items()}
        return {**shown, "network": network_time(answer.network_ns, self._pool), "milliseconds": rounded}

    def close(self) -> None:
        """Decode no more."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, data: bytes) -> _Prepared:
        start = time.perf_counter()
        picture = decode_picture(data)
        decoded = time.perf_counter()
        inputs = self.view.input(picture.pixels)
        return _Prepared(picture, inputs, 1e3 * (decoded - start), 1e3 * (time.perf_counter() - decoded))

    def _show(self, picture: Picture, outputs: Mapping[str, Array]) -> dict[str, Any]:
        from PIL import Image

        view = self.view
        image = Image.fromarray(picture.pixels)
        image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
        answer = view.decoder(outputs, image.height, image.width)
        if answer.scores is None:
            at = view.input.placement(image.height, image.width)
            image = view.overlay(np.asarray(image), answer, at, [])
        return {
            "width": picture.taken[0],
            "height": picture.taken[1],
            "reduced": picture.reduced,
            "picture": base64.b64encode(jpeg_of(image)).decode(),
            "rows": self._rows(answer),
        }

    def _rows(self, answer: Answer) -> list[dict[str, Any]]:
        """Classes with their probability or share of the picture, or boxes with their score; the greatest first."""
        if answer.boxes is not None:
            assert answer.box_labels is not None
            assert answer.box_scores is not None
            names, values = np.asarray(answer.box_labels), np.asarray(answer.box_scores)
        else:
            shares: Array | None = (
                answer.scores if answer.class_map is None else shares_of(answer.class_map, len(self.view.names))
            )
            assert shares is not None
            names, values = np.arange(len(shares)), np.asarray(shares)
        order = np.argsort(-values, kind="stable")[:MOST_ROWS]
        return [
            {"name": self._name(int(names[i])), "value": round(float(values[i]), 6)}
            | self._colour(answer, int(names[i]))
            for i in order
        ]

    def _colour(self, answer: Answer, number: int) -> dict[str, str]:
        """Colour of a class in masks and boxes."""
        if answer.scores is not None:
            return {}
        red, green, blue = (int(value) for value in self.view.overlay.colours[number % 256])
        return {"colour": f"#{red:02x}{green:02x}{blue:02x}"} if red or green or blue else {}

    def _name(self, number: int) -> str:
        names = self.view.names
        return names[number] if 0 <= number < len(names) else f"class {number}"
