"""What happens to one frame: into the network's input, through the network, and drawn over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.errors import EdgerigError
from edgerig.serve.video.answers import Answer, AnswerDecoder
from edgerig.serve.video.frame import Frame, Pixels
from edgerig.serve.video.frame_input import FrameInput
from edgerig.serve.video.labels import colour_table, read_labels
from edgerig.serve.video.overlay import Overlay, jpeg_of
from edgerig.serve.video.settings import ViewSettings
from edgerig.serve.video.shown import Shown, Times
from edgerig.text import cause_of, one_line

_logger = logging.getLogger(__name__)
Array = NDArray[Any]


class PoolAnswer(Protocol):
    """What a pool answers, see `edgerig.serve.requests.Answer`."""

    @property
    def outputs(self) -> Mapping[str, Array]: ...
    @property
    def queue_ns(self) -> int: ...
    @property
    def network_ns(self) -> int: ...


Infer = Callable[[Mapping[str, Array]], Awaitable[PoolAnswer]]


class NetworkView:
    """How frames come to one network, and what is shown of its answers.

    Args:
        artifact: The network. settings: How it is seen.

    Attributes:
        told: What was chosen and why, a sentence a line.

    Raises:
        IncompatibleError: It takes no image, or its outputs cannot be shown. UsageError: The labels do not fit.
    """

    def __init__(self, artifact: Artifact, settings: ViewSettings) -> None:
        labels = read_labels(settings.labels) if settings.labels is not None else None
        self.input = FrameInput(artifact.inputs, artifact.preprocessing, settings.layout, settings.fitting)
        self.decoder = AnswerDecoder(
            artifact.outputs,
            artifact.judged_output,
            self.input.preprocessing,
            names=labels.names if labels is not None else artifact.classes,
            task=settings.task,
            settings=settings.task_settings,
            threshold=settings.threshold,
        )
        self.task, self.names = self.decoder.guess.task, self.decoder.names
        colours = colour_table(len(self.names), self.task, labels.colours if labels is not None else {})
        self.overlay = Overlay(self.names, colours)
        self.told = (self.decoder.guess.reason, self.input.told)


class _Prepared(NamedTuple):
    pixels: Pixels
    inputs: Mapping[str, Array]
    decode: float
    prepare: float


class FramePipeline:
    """Takes frames of one source through a network, one after another.

    Args:
        view: How. infer: The pool's.
        worker: The thread that pixels are worked on in, so that the event loop stays free.
    """

    def __init__(self, view: NetworkView, infer: Infer, worker: ThreadPoolExecutor) -> None:
        self._view, self._infer, self._worker = view, infer, worker
        self._display = 0.0
        self._error = ""

    async def show(self, frame: Frame, *, encode: bool = True) -> Shown:
        """A frame with everything drawn on it.

        Where the network fails, the frame is shown without an answer, and ``error`` says why.

        Args:
            encode: Whether anybody wants it as JPEG.

        Raises:
            SourceError: The frame has no usable pixels.
        """
        loop = asyncio.get_running_loop()
        prepared = await loop.run_in_executor(self._worker, self._prepare, frame)
        outputs, error, queue, network, transport = await self._ask(prepared.inputs)
        times = Times(
            decode=prepared.decode, prepare=prepared.prepare, queue=queue, network=network, transport=transport
        )
        shown = await loop.run_in_executor(self._worker, self._finish, frame, prepared, outputs, error, times, encode)
        self._display = shown.times.display
        return shown

    def _prepare(self, frame: Frame) -> _Prepared:
        start = time.perf_counter()
        pixels = frame.pixels()
        decoded = time.perf_counter()
        inputs = self._view.input(pixels)
        return _Prepared(pixels, inputs, 1e3 * (decoded - start), 1e3 * (time.perf_counter() - decoded))

    async def _ask(self, inputs: Mapping[str, Array]) -> tuple[Mapping[str, Array] | None, str, float, float, float]:
        start = time.perf_counter()
        try:
            answer = await self._infer(inputs)
        except EdgerigError as error:
            self._say(one_line(error.message))
            return None, self._error, 0.0, 0.0, 0.0
        queue, network = answer.queue_ns / 1e6, answer.network_ns / 1e6
        # Two clocks: a device's may run ahead of this one by a hair.
        rest = max(0.0, 1e3 * (time.perf_counter() - start) - queue - network)
        return answer.outputs, "", queue, network, rest

    def _finish(
        self,
        frame: Frame,
        prepared: _Prepared,
        outputs: Mapping[str, Array] | None,
        error: str,
        times: Times,
        encode: bool,
    ) -> Shown:
        pixels = prepared.pixels
        height, width = pixels.shape[:2]
        start = time.perf_counter()
        answer = None
        if outputs is not None:
            try:
                answer = self._view.decoder(outputs, height, width)
            except EdgerigError as failure:
                error = one_line(failure.message)
            except Exception as failure:
                error = f"The answer cannot be shown: {cause_of(failure)}."
            self._say(error)
        answered = time.perf_counter()
        lines = [error] if error else [f"infer {times.network:.1f} ms  display {self._display:.1f} ms"]
        at = self._view.input.placement(height, width)
        image = self._view.overlay(pixels, answer or Answer(confidence=None), at, lines)
        drawn = time.perf_counter()
        jpeg = jpeg_of(image) if encode else None
        return Shown(
            number=frame.number,
            captured=frame.captured,
            seconds=frame.seconds,
            pixels=pixels,
            image=image,
            jpeg=jpeg,
            answer=answer,
            error=error,
            times=Times(
                decode=times.decode,
                prepare=times.prepare,
                queue=times.queue,
                network=times.network,
                transport=times.transport,
                answer=1e3 * (answered - start),
                overlay=1e3 * (drawn - answered),
                encode=1e3 * (time.perf_counter() - drawn),
            ),
        )

    def _say(self, error: str) -> None:
        if error and error != self._error:
            _logger.warning("%s", error)
        self._error = error
