"""What the server of the page answers over HTTP."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgerig.serve.labels.colours import colour_of
from edgerig.serve.labels.committing import Committer, describe
from edgerig.serve.labels.hub import Hub
from edgerig.serve.labels.pictures import Picture, picture_of
from edgerig.serve.labels.render import Acceptance, acceptance
from edgerig.serve.labels.session import BREACH, GONE, Session
from edgerig.serve.pages import files_of
from edgerig.serve.ways.origin import refusal
from edgerig.serve.ways.page_requests import PageFiles, guarded, respond, respond_error, respond_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket

#: Pictures that are held as they are sent, and pages at once.
HELD, MOST_PAGES = 8, 64


class LabelRoutes:
    """The page, its pictures, and its WebSocket.

    Args:
        hub: Where operations come together. committer: Writes versions. prefill: Name of the network that proposes.
    """

    def __init__(self, hub: Hub, committer: Committer, prefill: str) -> None:
        self._hub, self._committer, self._prefill = hub, committer, prefill
        self._files = PageFiles(files_of("labels"))
        self._held: OrderedDict[str, Picture] = OrderedDict()
        self._sessions: set[Session] = set()

    def routes(self) -> Sequence[BaseRoute]:
        """All of them."""
        from starlette.routing import Route, WebSocketRoute

        return [
            Route("/", guarded(self._files.page)),
            Route("/labels/status", guarded(self._status)),
            Route("/labels/picture/{sha256}", guarded(self._picture)),
            Route("/labels/files/{name}", guarded(self._files.file)),
            WebSocketRoute("/labels/live", self._live),
        ]

    def close(self) -> None:
        """Let all pages go."""
        for session in list(self._sessions):
            session.close()

    def welcome(self) -> dict[str, Any]:
        """What a page is told first."""
        hub = self._hub
        return {
            "type": "welcome",
            "dataset": hub.dataset.address,
            "version": self._committer.version,
            "key": hub.journal.beginning.key,
            "prefill": self._prefill,
            "classes": [{"name": name, "colour": colour_of(index)} for index, name in enumerate(hub.classes)],
            "pictures": [room.summary() for room in hub.rooms.values()],
        }

    async def _status(self, request: Request) -> Response:
        hub = self._hub
        states = [room.state() for room in hub.rooms.values()]
        total = Acceptance()
        for room in hub.rooms.values():
            if room.proposals and room.loaded is not None:
                total += await asyncio.to_thread(acceptance, room.document(), room.proposals)
        return respond_json(
            {
                "dataset": hub.dataset.address,
                "version": self._committer.version,
                "pictures": len(states),
                "states": {state: states.count(state) for state in sorted(set(states))},
                "uncommitted": len(self._committer.uncommitted),
                "people": sorted({listener.name for listener in hub.listeners}),
                "prefill": {"network": self._prefill, "outcome": describe(total), "accepted_unchanged": total.share},
            }
        )

    async def _picture(self, request: Request) -> Response:
        entry = self._hub.by_hash.get(request.path_params["sha256"])
        if entry is None:
            return respond_error("There is no such picture.", 404)
        picture = self._held.pop(entry.sha256, None)
        if picture is None:
            loop = asyncio.get_running_loop()
            picture = await loop.run_in_executor(
                self._hub.worker, lambda: picture_of(self._hub.dataset.image(entry), entry.name)
            )
        self._held[entry.sha256] = picture
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        response = respond(picture.data, picture.type)
        # Its address is the hash of its content.
        response.headers["Cache-Control"] = "private, max-age=604800, immutable"
        return response

    async def _live(self, socket: WebSocket) -> None:
        # Browsers let every page open a WebSocket.
        if refusal(socket.headers, socket.scope.get("server")) is not None:
            await socket.close(BREACH)
            return
        if len(self._sessions) >= MOST_PAGES:
            await socket.close(GONE)
            return
        session = Session(socket, self._hub, self.welcome, self._committer.commit)
        self._sessions.add(session)
        try:
            await session.run()
        finally:
            self._sessions.discard(session)
