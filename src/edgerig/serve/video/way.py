"""The way in called video: a page with a live picture, MJPEG for others, and visitors' cameras."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from edgerig.errors import MissingExtraError, UsageError
from edgerig.freed_memory import keep_freed_memory
from edgerig.serve.pages import HEADERS, files_of
from edgerig.serve.service import Service
from edgerig.serve.video.keep.folder import FrameFolder
from edgerig.serve.video.keep.keeper import Keeper
from edgerig.serve.video.keep.rules import parse_rules, parse_size
from edgerig.serve.video.live import LiveVideo
from edgerig.serve.video.pipeline import NetworkView
from edgerig.serve.video.record import Recorder
from edgerig.serve.video.settings import VideoSettings
from edgerig.serve.video.sources import source_of
from edgerig.serve.video.viewers import BREACH, MJPEG, mjpeg, watch
from edgerig.serve.video.visitors import Visitors
from edgerig.serve.ways.base import Way
from edgerig.serve.ways.origin import refusal
from edgerig.serve.ways.page_requests import guarded, respond, respond_error, respond_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket

_logger = logging.getLogger(__name__)
#: Threads that work on pixels: each camera of a visitor may use one.
WORKERS = 2


class Video(Way):
    """Shows what a network says of a video.

    Args:
        settings: Which video, and what is done with it.

    Raises:
        UsageError: A setting means nothing. SourceError: The file is not there, or no video.
        MissingExtraError, from `require`: PyAV or Pillow is not installed.
    """

    name: ClassVar[str] = "video"

    def __init__(self, settings: VideoSettings) -> None:
        super().__init__()
        self.require()
        self.settings = settings
        every = settings.rate == "max"
        again = (settings.end or ("stop" if settings.record is not None else "loop")) == "loop"
        self.source = source_of(settings.source, every=every, again=again)
        if self.source is not None:
            self.source.check()
        if self.source is None and settings.record is not None:
            raise UsageError("--record writes one video, and visitors' cameras are several.", "Use --keep for frames.")
        self._rules, self._most = parse_rules(settings.keep_rules), parse_size(settings.keep_most)
        self._folder = FrameFolder(settings.keep, self._most) if settings.keep is not None else None
        self._recorder: Recorder | None = None
        self._keeper: Keeper | None = None
        self._live: LiveVideo | None = None
        self._visitors: Visitors | None = None
        self._worker = ThreadPoolExecutor(WORKERS, "video")
        self._about: dict[str, Any] = {}

    def require(self) -> None:
        for module, extra in (("PIL", "video"), ("av", "video")):
            try:
                __import__(module)
            except ImportError as error:
                raise MissingExtraError("--video", extra, module) from error

    def routes(self, service: Service) -> Sequence[BaseRoute]:
        """The page and what it needs; the video begins here."""
        from starlette.routing import Route, WebSocketRoute

        keep_freed_memory(256 << 20)
        self._begin(service)
        self.page = "/"
        files = files_of("video")

        async def page(request: Request) -> Response:
            return respond(*files["index.html"])

        async def file(request: Request) -> Response:
            name = request.path_params["name"]
            if name not in files or name == "index.html":
                return respond_error("There is no such file.", 404)
            return respond(*files[name])

        routes: list[BaseRoute] = [
            Route("/", guarded(page)),
            Route("/video", guarded(page)),
            Route("/video/status", guarded(self._status)),
            Route("/video/files/{name}", guarded(file)),
        ]
        if self._live is not None:
            routes += [
                Route("/video_feed", guarded(self._feed)),
                WebSocketRoute("/video/live", _guarded_socket(self._watch)),
            ]
        if self._visitors is not None:
            routes.append(WebSocketRoute("/video/camera", _guarded_socket(self._visitors.serve)))
        return routes

    async def stop(self, deadline: float) -> None:
        """Let viewers and visitors go, and close the recording and the folder of frames."""
        if self._visitors is not None:
            self._visitors.close()
        if self._live is not None:
            await self._live.stop(deadline)
        for ending in (self._recorder, self._keeper):
            if ending is not None:
                await asyncio.to_thread(ending.stop, deadline)
        self._worker.shutdown(wait=False, cancel_futures=True)

    @property
    def newest(self) -> int:
        """Number of the source's newest frame; -1 before the first, and of visitors' cameras."""
        return self._live.slot.newest if self._live is not None else -1

    def status(self) -> dict[str, Any]:
        """How the video is, as JSON has it at ``/video/status``."""
        if self._live is not None:
            return {**self._about, **self._live.status()}
        visitors = self._visitors
        assert visitors is not None
        return {
            **self._about,
            "source": {"address": self.settings.source, "status": "playing", "message": "", "reconnects": 0},
            "frames": {"shown": visitors.shown, "dropped": visitors.dropped},
            "viewers": visitors.connected,
            "milliseconds": {name: round(value, 3) for name, value in visitors.times.medians().items()},
            "record": None,
            "keep": msgspec.structs.asdict(self._keeper.state) if self._keeper is not None else None,
        }

    def _begin(self, service: Service) -> None:
        artifact, settings = service.artifact, self.settings
        view = NetworkView(artifact, settings)
        for line in view.told:
            _logger.info("%s", line)
        self._about = {"network": service.name, "task": view.task, "told": view.told, "browser": self.source is None}
        if self._folder is not None:
            self._keeper = Keeper(
                self._folder,
                self._rules,
                model=service.name,
                artifact=artifact.sha256,
                task=view.task,
                names=view.names,
                form=settings.keep_form,
            )
        if self.source is None:
            self._visitors = Visitors(view, service.pool.infer, self._worker, self._keeper)
            return
        if settings.record is not None:
            self._recorder = Recorder(settings.record, every=self.source.every)
        self._live = LiveVideo(self.source, view, service.pool.infer, self._worker, self._recorder, self._keeper)
        self._live.start()

    async def _status(self, request: Request) -> Response:
        return respond_json(self.status())

    async def _feed(self, request: Request) -> Response:
        from starlette.responses import StreamingResponse

        assert self._live is not None
        return StreamingResponse(mjpeg(self._live.broadcast), headers={**HEADERS, "Content-Type": MJPEG})

    async def _watch(self, socket: WebSocket) -> None:
        assert self._live is not None
        await watch(socket, self._live.broadcast)


def _guarded_socket(handler: Callable[[WebSocket], Awaitable[None]]) -> Callable[[WebSocket], Awaitable[None]]:
    """``handler`` for pages of this server alone: browsers let every page open a WebSocket."""

    async def handle(socket: WebSocket) -> None:
        if refusal(socket.headers, socket.scope.get("server")) is not None:
            # Before it is accepted, this is a 403.
            await socket.close(BREACH)
            return
        await handler(socket)

    return handle
