"""One page: its messages come in here, and what it should know goes out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from edgerig.errors import EdgerigError, RequestError
from edgerig.serve.labels.hub import Hub
from edgerig.serve.labels.operations import LONGEST_ID, LONGEST_NAME, PageOperation
from edgerig.text import one_line

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

_logger = logging.getLogger(__name__)
#: Longest message, in characters: the longest stroke has a third of it.
LONGEST_MESSAGE = 1_000_000
#: Messages that wait for a page before it is taken for gone, and operations of a page that are under way.
MOST_WAITING, MOST_UNDER_WAY = 10_000, 200
#: Seconds without a word after which a page is taken for gone: it says something every ten.
SILENT = 60.0
#: Codes of closed WebSockets (RFC 6455): going away, unsupported data, a breach of the rules, too big, try again later.
GONE, UNSUPPORTED, BREACH, TOO_BIG, LATER = 1001, 1003, 1008, 1009, 1013


class Hello(msgspec.Struct, frozen=True, tag="hello", forbid_unknown_fields=True):
    """The first message: who is there."""

    name: str


class Open(msgspec.Struct, frozen=True, tag="open", forbid_unknown_fields=True):
    """The page looks at a picture."""

    picture: str


class Do(msgspec.Struct, frozen=True, tag="do", forbid_unknown_fields=True):
    """An operation upon a revision of a picture; the id is the page's."""

    picture: str
    id: str
    upon: int
    operation: PageOperation


class Commit(msgspec.Struct, frozen=True, tag="commit", forbid_unknown_fields=True):
    """Write a version."""


class AddClass(msgspec.Struct, frozen=True, tag="class", forbid_unknown_fields=True):
    """There is to be a further class."""

    name: str


class Ping(msgspec.Struct, frozen=True, tag="ping", forbid_unknown_fields=True):
    """The page asks whether the server is there."""


_decoder = msgspec.json.Decoder(Hello | Open | Do | Commit | AddClass | Ping)
_encoder = msgspec.json.Encoder()


class Session:
    """A page that is open.

    Args:
        hub: Where operations come together. welcome: What it is told first. commit: Writes a version.
    """

    def __init__(self, socket: WebSocket, hub: Hub, welcome: Any, commit: Any) -> None:
        self.picture, self.name = "", ""
        self._socket, self._hub, self._welcome, self._commit = socket, hub, welcome, commit
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue(MOST_WAITING)
        self._under_way: set[asyncio.Task[None]] = set()

    def tell(self, message: dict[str, Any] | None) -> None:
        """Send a message when the page takes it, or with None let the page go then; a page that takes none for long is
        let go at once."""
        try:
            self._waiting.put_nowait(None if message is None else _encoder.encode(message).decode())
        except asyncio.QueueFull:
            self.close()

    def close(self) -> None:
        """Let the page go."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def run(self) -> None:
        """Serve the page until it leaves."""
        await self._socket.accept()
        sending = asyncio.create_task(self._send())
        receiving = asyncio.create_task(self._receive())
        try:
            await asyncio.wait([sending, receiving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            # What was sent is taken, though nobody waits for the answer.
            self._hub.listeners.discard(self)
            self._hub.look_at(self, "")
            sending.cancel()
            receiving.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)

    async def _send(self) -> None:
        while (message := await self._waiting.get()) is not None:
            await self._socket.send_text(message)
        await self._socket.close(GONE)

    async def _receive(self) -> None:
        while True:
            try:
                async with asyncio.timeout(SILENT):
                    message = await self._socket.receive()
            except TimeoutError:
                await self._socket.close(GONE)
                return
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                await self._socket.close(UNSUPPORTED, "Messages are text.")
                return
            if len(text) > LONGEST_MESSAGE:
                await self._socket.close(TOO_BIG, f"A message has at most {LONGEST_MESSAGE} characters.")
                return
            await self._handle(text)

    async def _handle(self, text: str) -> None:
        try:
            message = _decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeEncodeError) as error:
            self.tell({"type": "refused", "id": _id_in(text), "message": f"It is no message: {one_line(error, 200)}."})
            return
        if isinstance(message, Do):
            if len(self._under_way) >= MOST_UNDER_WAY:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._do(message))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        elif isinstance(message, Hello):
            self.name = one_line(message.name, LONGEST_NAME).strip() or "somebody"
            self._hub.listeners.add(self)
            self.tell(self._welcome())
        elif isinstance(message, Open):
            await self._open(message.picture)
        elif isinstance(message, Commit):
            await self._write(self._commit)
        elif isinstance(message, AddClass):
            await self._write(lambda: self._hub.add_class(message.name))
        else:
            self.tell({"type": "pong"})

    async def _do(self, message: Do) -> None:
        try:
            if not self.name:
                raise RequestError("Say who you are first.")
            if not 0 < len(message.id) <= LONGEST_ID:
                raise RequestError(f"An id has 1 to {LONGEST_ID} characters.")
            room = self._hub.room(message.picture)
            record = await self._hub.take(room, message.id, self.name, max(message.upon, 0), message.operation)
        except RequestError as error:
            self.tell({"type": "refused", "id": message.id, "message": error.message})
        except EdgerigError as error:
            # It is not taken, and may be later: the page keeps it, and sends it when it has connected again.
            self.tell({"type": "problem", "message": error.message})
            self.tell(None)
        else:
            # Whoever looks at the picture has heard of it already.
            self.tell({"type": "taken", "id": message.id, "picture": room.name, "known": record is None})

    async def _open(self, name: str) -> None:
        try:
            room = self._hub.room(name)
        except RequestError as error:
            self.tell({"type": "problem", "message": error.message})
            return
        await self._hub.load(room)
        # Nothing may come between what it is told now and what it hears of from now on.
        self.tell(room.message())
        self._hub.look_at(self, name)
        if self._hub.opened is not None:
            await self._hub.opened(room)

    async def _write(self, write: Callable[[], Awaitable[Any]]) -> None:
        try:
            if not self.name:
                raise RequestError("Say who you are first.")
            await write()
        except EdgerigError as error:
            self.tell({"type": "problem", "message": f"{error.message} {error.hint or ''}".strip()})


def _id_in(text: str) -> str:
    """The id of an operation that is not valid, so that the page can tell which."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return ""
    id_ = value.get("id") if isinstance(value, dict) else None
    return id_[:LONGEST_ID] if isinstance(id_, str) else ""
