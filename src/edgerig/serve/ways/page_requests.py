"""What the pages of a server have in common: whom they answer, and with which headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from edgerig.errors import EdgerigError, Overloaded, RequestError
from edgerig.serve.pages import HEADERS
from edgerig.serve.ways.origin import refusal
from edgerig.text import harmless

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

Handler = Callable[["Request"], Awaitable["Response"]]


async def limited_body(request: Request, longest: int) -> bytes | None:
    """The body of a request; None if it is longer than ``longest`` bytes, of which no more are read."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > longest:
            return None
    return bytes(body)


def guarded(handler: Handler) -> Handler:
    """``handler`` for requests of this page alone; its errors as JSON."""

    async def handle(request: Request) -> Response:
        from starlette.requests import ClientDisconnect

        reason = refusal(request.headers, request.scope.get("server"))
        if reason is not None:
            return respond_error(reason, 403)
        try:
            return await handler(request)
        except ClientDisconnect:
            return respond_error("The client hung up.", 400)
        except Overloaded as error:
            return respond_error(error.message, 503)
        except RequestError as error:
            return respond_error(error.message, 400)
        except EdgerigError as error:
            return respond_error(error.message, 502)

    return handle


class PageFiles:
    """Handlers of a page and of the files that it loads, which are held in memory.

    Args:
        files: Content and media type of each by its name; that of the page is ``index.html``.
    """

    def __init__(self, files: Mapping[str, tuple[bytes, str]]) -> None:
        self._files = files

    async def page(self, request: Request) -> Response:
        """The page itself."""
        return respond(*self._files["index.html"])

    async def file(self, request: Request) -> Response:
        """The file that the path names as ``name``; 404 for none, and for the page, which has a path of its own."""
        name = request.path_params["name"]
        if name not in self._files or name == "index.html":
            return respond_error("There is no such file.", 404)
        return respond(*self._files[name])


def respond(content: bytes, type_: str, status: int = 200) -> Response:
    """An answer with the headers that every one has."""
    from starlette.responses import Response

    return Response(content, status, headers={**HEADERS, "Content-Type": type_})


def respond_json(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return respond(msgspec.json.encode(value), "application/json", status)


def respond_error(message: str, status: int) -> Response:
    """What is wrong, as JSON."""
    return respond_json({"error": harmless(message)}, status)
