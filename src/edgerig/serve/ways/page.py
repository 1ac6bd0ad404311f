"""The page of a network of digits: one draws on it, and sees what the network sees and says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edgerig.errors import EdgerigError, Overloaded, RequestError
from edgerig.serve.digit_network import DigitNetwork, open_networks
from edgerig.serve.drawing import SIDE
from edgerig.serve.pages import HEADERS, files_of
from edgerig.serve.service import Service
from edgerig.serve.ways.base import Way
from edgerig.serve.ways.origin import refusal
from edgerig.text import harmless

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

#: Bytes of a picture.
PICTURE = SIDE * SIDE


class DigitsPage(Way):
    """The page at ``/`` of the server's HTTP port.

    Args:
        targets: Further targets that the page offers beside the server's own, such as ``sim:stm32f746``; the network
            has a session of its own on each.

    Raises:
        IncompatibleError, from `routes`: It is no network of digits.
    """

    name = "page"

    def __init__(self, targets: Sequence[str] = ()) -> None:
        super().__init__()
        self.targets = tuple(targets)
        self._networks: list[DigitNetwork] = []

    def routes(self, service: Service) -> Sequence[BaseRoute]:
        from starlette.routing import Route

        own = DigitNetwork(service.pool)
        further = open_networks(service.artifact, [target for target in self.targets if target != own.target])
        for network in further:
            network.pool.start()
        self._networks = [own, *further]
        files = files_of("digits")

        async def page(request: Request) -> Response:
            return _response(*files["index.html"])

        async def file(request: Request) -> Response:
            name = request.path_params["name"]
            if name not in files or name == "index.html":
                return _error("There is no such file.", 404)
            return _response(*files[name])

        async def about(request: Request) -> Response:
            return _json({"name": service.name, "targets": [network.target for network in self._networks]})

        return [
            Route("/", _guarded(page)),
            Route("/digits/about", _guarded(about)),
            Route("/digits/infer", _guarded(self._infer), methods=["POST"]),
            Route("/digits/{name}", _guarded(file)),
        ]

    async def stop(self, deadline: float) -> None:
        """Close the sessions on the further targets."""
        await asyncio.gather(*(network.pool.stop(deadline) for network in self._networks[1:]))

    async def _infer(self, request: Request) -> Response:
        number = request.query_params.get("target", "0")
        if not (number.isascii() and number.isdecimal() and int(number[:4]) < len(self._networks)):
            return _error(f"There is no target {number[:40]!r}.", 404)
        body = await limited_body(request, PICTURE)
        if body is None or len(body) != PICTURE:
            return _error(f"A picture is {PICTURE} bytes, 28x28 pixels, 255 for ink.", 413 if body is None else 400)
        picture = np.frombuffer(body, np.uint8).reshape(SIDE, SIDE)
        return _json(await self._networks[int(number[:4])].ask(picture))


async def limited_body(request: Request, longest: int) -> bytes | None:
    """The body of a request; None if it is longer than ``longest`` bytes, of which no more are read."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > longest:
            return None
    return bytes(body)


def _guarded(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """``handler`` for requests of this page alone; its errors as JSON."""

    async def handle(request: Request) -> Response:
        from starlette.requests import ClientDisconnect

        reason = refusal(request.headers, request.scope.get("server"))
        if reason is not None:
            return _error(reason, 403)
        try:
            return await handler(request)
        except ClientDisconnect:
            return _error("The client hung up.", 400)
        except Overloaded as error:
            return _error(error.message, 503)
        except RequestError as error:
            return _error(error.message, 400)
        except EdgerigError as error:
            return _error(error.message, 502)

    return handle


def _response(content: bytes, type_: str, status: int = 200) -> Response:
    from starlette.responses import Response

    return Response(content, status, headers={**HEADERS, "Content-Type": type_})


def _json(value: Any, status: int = 200) -> Response:
    return _response(msgspec.json.encode(value), "application/json", status)


def _error(message: str, status: int) -> Response:
    return _json({"error": harmless(message)}, status)
