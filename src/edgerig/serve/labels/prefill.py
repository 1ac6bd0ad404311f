"""A network proposes labels for pictures that nobody has labelled."""

from __future__ import annotations

import asyncio
import collections
import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgerig.errors import EdgerigError, IncompatibleError, UsageError
from edgerig.models.files import open_artifact
from edgerig.serve.labels.hub import Hub
from edgerig.serve.labels.operations import Box, Pixels, Propose, Shape
from edgerig.serve.labels.pictures import pixels_of
from edgerig.serve.labels.raster import runs_of
from edgerig.serve.labels.rooms import Room
from edgerig.serve.pool import Pool
from edgerig.serve.video.answers import Answer, class_map_of_frame, map_indices
from edgerig.serve.video.pipeline import NetworkView
from edgerig.serve.video.settings import VideoSettings
from edgerig.targets.resolve import runtime_for, target_for
from edgerig.tasks.class_maps import MOST_CLASSES
from edgerig.text import cause_of

_logger = logging.getLogger(__name__)
#: A class of class maps that stands for no object.
BACKGROUND = "background"
#: Value of pixels in a class map that the network did not see.
UNSEEN = MOST_CLASSES


class Prefiller:
    """A network, and how its classes become those of the dataset.

    Args:
        model: The network's file. classes: The dataset's.
        labels: A file with the names of the network's classes; task: its task, where the outputs do not tell;
            threshold: lowest score of a box that is proposed.

    Attributes:
        told: What was chosen and why, a sentence a line.

    Raises:
        UsageError: None of the network's classes is one of the dataset's. IncompatibleError: It takes no image.
        ModelError, InferenceError: It cannot be run.
    """

    def __init__(
        self,
        model: Path,
        classes: Sequence[str],
        *,
        labels: Path | None = None,
        task: str | None = None,
        threshold: float = 0.5,
    ) -> None:
        artifact = open_artifact(model)
        settings = VideoSettings(source="browser", labels=labels, task=task, threshold=threshold)
        try:
            self.view = NetworkView(artifact, settings)
        except IncompatibleError as error:
            raise IncompatibleError(
                f"{model} cannot propose labels: {error.message}",
                "It takes one picture, and answers with scores of classes, a class map or boxes: see --prefill-task.",
            ) from error
        self.name = artifact.name
        self.classes, sentence = _mapping(self.view.names, classes, self.view.task)
        self.told = (*self.view.told, sentence)
        self._id = "prefill:" + hashlib.sha256(artifact.sha256.encode()).hexdigest()[:16]
        self._pool = Pool(artifact, target_for("local", {}), runtime_for(artifact, "local"), sessions=1)
        self._pool.open()
        self._wanted: collections.deque[Room] = collections.deque()
        self._there = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, hub: Hub) -> None:
        """Begin with all pictures that nobody has labelled; those that somebody opens come first."""
        self._pool.start()
        self._add(list(hub.rooms.values()))
        hub.opened, hub.added = self._opened, self._add
        self._task = asyncio.create_task(self._run(hub))

    def close(self) -> None:
        """End one that was never started."""
        self._pool.close()

    async def stop(self, deadline: float) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._pool.stop(deadline)

    def _add(self, rooms: Sequence[Room]) -> None:
        self._wanted.extend(room for room in rooms if self._wants(room))
        self._there.set()

    async def _opened(self, room: Room) -> None:
        if room in self._wanted:
            self._wanted.remove(room)
            self._wanted.appendleft(room)

    def _wants(self, room: Room) -> bool:
        """Whether nobody has done anything to a picture, and this network has not been asked."""
        untouched = room.state() in ("unlabelled", "prefilled") and not any(record.who for record in room.records)
        return untouched and self._record_id(room) not in room.ids

    def _record_id(self, room: Room) -> str:
        return f"{self._id}:{hashlib.sha256(room.name.encode()).hexdigest()[:16]}"

    async def _run(self, hub: Hub) -> None:
        while True:
            while not self._wanted:
                self._there.clear()
                await self._there.wait()
            room = self._wanted.popleft()
            try:
                await self._prefill(hub, room)
            except EdgerigError as error:
                _logger.warning("%s is not prefilled: %s", room.name, error.message)
            except Exception as error:
                _logger.exception("%s is not prefilled: %s", room.name, cause_of(error))

    async def _prefill(self, hub: Hub, room: Room) -> None:
        await hub.load(room)
        if room.loaded is None or not self._wants(room):
            return
        loop = asyncio.get_running_loop()
        data = await loop.run_in_executor(hub.worker, hub.dataset.image, room.entry)
        pixels = await loop.run_in_executor(hub.worker, pixels_of, data, room.name)
        inputs = await loop.run_in_executor(hub.worker, self.view.input, pixels)
        answer = await self._pool.infer(inputs)
        height, width = pixels.shape[:2]
        proposal = await loop.run_in_executor(hub.worker, self._proposal, answer.outputs, height, width)
        await hub.take(room, self._record_id(room), "", room.revision, proposal)

    def _proposal(self, outputs: dict[str, np.ndarray], height: int, width: int) -> Propose:
        answer = self.view.decoder(outputs, height, width)
        if answer.scores is not None:
            best = int(answer.scores.argmax())
            label = self.classes.get(best)
            return Propose(self.name, label=label, score=float(answer.scores[best]))
        shapes = self._boxes(answer, height, width) if answer.boxes is not None else self._masks(answer, height, width)
        return Propose(self.name, tuple(shape for shape, _ in shapes), tuple(score for _, score in shapes))

    def _boxes(self, answer: Answer, height: int, width: int) -> list[tuple[Shape, float]]:
        assert answer.boxes is not None
        assert answer.box_scores is not None
        assert answer.box_labels is not None
        shapes: list[tuple[Shape, float]] = []
        for number, (box, score, index) in enumerate(
            zip(answer.boxes, answer.box_scores, answer.box_labels, strict=True)
        ):
            label = self.classes.get(int(index))
            left, top = max(0.0, float(box[0])), max(0.0, float(box[1]))
            right, bottom = min(float(width), float(box[0] + box[2])), min(float(height), float(box[1] + box[3]))
            if label is not None and left < right and top < bottom:
                corners = tuple(round(value, 2) for value in (left, top, right - left, bottom - top))
                shapes.append((Box(f"net:{number}", label, corners), float(score)))  # type: ignore[arg-type]
        return shapes

    def _masks(self, answer: Answer, height: int, width: int) -> list[tuple[Shape, float]]:
        class_map = answer.class_map
        assert class_map is not None
        at = self.view.input.placement(height, width)
        rows, columns = map_indices(at, height, width, class_map.shape[:2])
        whole = class_map_of_frame(class_map, rows, columns, UNSEEN)
        shapes: list[tuple[Shape, float]] = []
        for index, label in self.classes.items():
            mask = whole == index
            if mask.any():
                shapes.append((Pixels(f"net:{label}", label, tuple(runs_of(mask))), answer.confidence or 0.0))
        return shapes


def _mapping(names: Sequence[str], classes: Sequence[str], task: str) -> tuple[dict[int, str], str]:
    """The dataset's class for each of the network's that has one, and how that was found, in a sentence.

    Raises:
        UsageError: None has one.
    """
    same = {number: name for number, name in enumerate(names) if name in classes}
    if task == "segmentation":
        same = {number: name for number, name in same.items() if name.lower() != BACKGROUND}
    if same:
        left = [name for number, name in enumerate(names) if number not in same]
        return same, f"Classes by name: {', '.join(same.values())}; without: {', '.join(left) or 'none'}."
    objects = [name for name in classes if name.lower() != BACKGROUND]
    first = 1 if task == "segmentation" and len(names) == len(objects) + 1 else 0
    if len(names) - first == len(objects):
        pairs = {number + first: name for number, name in enumerate(objects)}
        return pairs, "Classes by their order: " + ", ".join(f"{names[n]} is {name}" for n, name in pairs.items()) + "."
    raise UsageError(
        f"None of the network's classes ({', '.join(names[:10])}) is one of the dataset's ({', '.join(classes[:10])}).",
        "Give the names of the network's classes, those of the dataset: --prefill-labels FILE.",
    )
