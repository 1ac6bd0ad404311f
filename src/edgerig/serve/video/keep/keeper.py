"""Stores the frames that the rules want, in a thread of its own: a slow disk holds up no picture."""

from __future__ import annotations

import contextlib
import io
import logging
import queue
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
import numpy as np

from edgerig import files
from edgerig.errors import EdgerigError
from edgerig.serve.video.answers import Answer
from edgerig.serve.video.frame import Pixels
from edgerig.serve.video.keep.folder import FrameFolder, KeptFrame
from edgerig.serve.video.keep.rules import KeepRule
from edgerig.serve.video.shown import Shown
from edgerig.text import cause_of

_logger = logging.getLogger(__name__)
PictureForm = Literal["png", "jpeg"]
#: Frames that may wait to be written; further ones are not stored, and counted.
WAITING = 8
#: Quality of pictures as JPEG: hardly to be told from the frame.
QUALITY = 95


class KeepState(msgspec.Struct, frozen=True):
    """How the keeping is: frames stored, bytes of the folder, frames that came too fast, and what stands in its way."""

    stored: int = 0
    bytes: int = 0
    missed: int = 0
    message: str = ""


class Keeper:
    """Stores frames of one network.

    Args:
        folder: Where. rules: Which.
        model, artifact, task, names: The network's name, its file's SHA-256, its task, and its classes.
        form: ``png`` is lossless, ``jpeg`` a fifth of its size.
    """

    def __init__(
        self,
        folder: FrameFolder,
        rules: Sequence[KeepRule],
        *,
        model: str,
        artifact: str,
        task: str,
        names: Sequence[str],
        form: PictureForm = "png",
    ) -> None:
        self.folder, self.rules = folder, list(rules)
        self._model, self._artifact, self._task, self._names, self._form = model, artifact, task, tuple(names), form
        self._waiting: queue.Queue[tuple[Shown, str, list[str]] | None] = queue.Queue(WAITING)
        self.state = KeepState(bytes=folder.size)
        self._thread = threading.Thread(target=self._run, name="video-keeper", daemon=True)
        self._thread.start()

    def offer(self, shown: Shown, source: str) -> None:
        """Store a frame, if a rule wants it; returns at once."""
        if shown.answer is None:
            return
        confidence = shown.answer.confidence
        wanted = [rule for rule in self.rules if rule.wants(shown.captured, confidence)]
        if not wanted:
            return
        try:
            self._waiting.put_nowait((shown, source, [rule.text for rule in wanted]))
        except queue.Full:
            self.state = msgspec.structs.replace(self.state, missed=self.state.missed + 1)
            return
        for rule in wanted:
            rule.stored(shown.captured)

    def stop(self, seconds: float = 10.0) -> None:
        """Store what waits, and end."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=seconds)
        self._thread.join(seconds)

    def _run(self) -> None:
        while (entry := self._waiting.get()) is not None:
            shown, source, rules = entry
            try:
                self._store(shown, source, rules)
            except EdgerigError as error:
                self._say(f"{error.message} The frame was not stored; the video goes on.")
            except Exception as error:
                self._say(f"A frame was not stored: {cause_of(error)}.")

    def _store(self, shown: Shown, source: str, rules: list[str]) -> None:
        answer = shown.answer
        assert answer is not None
        picture = encoded(shown.pixels, self._form)
        digest = files.sha256(picture)
        captured = datetime.fromtimestamp(time.time() - (time.monotonic() - shown.captured), UTC)
        name = f"{captured:%Y%m%dT%H%M%S%f}-{digest[:8]}"
        suffix = "png" if self._form == "png" else "jpg"
        pictures = {f"{name}.{suffix}": picture}
        mask = None
        if answer.class_map is not None:
            mask = f"{name}.mask.png"
            pictures[mask] = encoded(answer.class_map, "png")
        line = KeptFrame(
            file=f"{name}.{suffix}",
            sha256=digest,
            width=shown.pixels.shape[1],
            height=shown.pixels.shape[0],
            time=captured.isoformat(timespec="microseconds"),
            source=source,
            frame=shown.number,
            rules=rules,
            model=self._model,
            artifact=self._artifact,
            task=self._task,
            confidence=answer.confidence,
            prediction=prediction_of(answer, self._names),
            mask=mask,
        )
        if self.folder.add(line, pictures):
            self.state = msgspec.structs.replace(
                self.state, stored=self.state.stored + 1, bytes=self.folder.size, message=""
            )
        else:
            self._say(f"{self.folder.path} is full: --keep-max allows {self.folder.most:,} B. No frame is stored.")

    def _say(self, message: str) -> None:
        if message != self.state.message:
            _logger.warning("%s", message)
        self.state = msgspec.structs.replace(self.state, message=message)


def encoded(pixels: Pixels, form: PictureForm) -> bytes:
    """Pixels, (H, W, 3) or (H, W), as PNG, or as JPEG of quality `QUALITY`."""
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if form == "png":
        image.save(buffer, "PNG", compress_level=1)
    else:
        image.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def prediction_of(answer: Answer, names: Sequence[str]) -> dict[str, object]:
    """An answer as JSON."""

    def name(number: int) -> str:
        return names[number] if 0 <= number < len(names) else f"class {number}"

    if answer.scores is not None:
        best = int(answer.scores.argmax())
        scores = {name(number): round(float(score), 6) for number, score in enumerate(answer.scores)}
        return {"class": name(best), "index": best, "scores": scores}
    if answer.class_map is not None:
        counts = np.bincount(answer.class_map.reshape(-1))
        shares = {name(int(n)): round(float(counts[n]) / answer.class_map.size, 6) for n in np.flatnonzero(counts)}
        return {"shares": shares}
    boxes: list[dict[str, object]] = []
    if answer.boxes is not None and answer.box_scores is not None and answer.box_labels is not None:
        for box, score, label in zip(answer.boxes, answer.box_scores, answer.box_labels, strict=True):
            corners = [round(float(value), 3) for value in box]
            boxes.append({"class": name(int(label)), "index": int(label), "score": float(score), "box": corners})
    return {"boxes": boxes}
