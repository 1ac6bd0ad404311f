"""The page of a network of digits: one draws on it, and sees what the network sees and says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgerig.serve.digit_network import DigitNetwork
from edgerig.serve.drawing import SIDE
from edgerig.serve.pages import files_of
from edgerig.serve.ways.page_requests import PageFiles, guarded, limited_body, respond_error, respond_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

#: Bytes of a picture.
PICTURE = SIDE * SIDE


class DigitsPage:
    """The routes of the page.

    Args:
        name: The network's. networks: It on each target that the page offers, the first one first.
    """

    def __init__(self, name: str, networks: Sequence[DigitNetwork]) -> None:
        self.name, self.networks = name, networks
        self._files = PageFiles(files_of("digits"))

    def routes(self) -> Sequence[BaseRoute]:
        """The page at ``/``, and what it needs below ``/digits``."""
        from starlette.routing import Route

        return [
            Route("/", guarded(self._files.page)),
            Route("/digits/about", guarded(self._about)),
            Route("/digits/infer", guarded(self._infer), methods=["POST"]),
            Route("/digits/{name}", guarded(self._files.file)),
        ]

    async def _about(self, request: Request) -> Response:
        return respond_json({"name": self.name, "targets": [network.target for network in self.networks]})

    async def _infer(self, request: Request) -> Response:
        number = request.query_params.get("target", "0")
        if not (number.isascii() and number.isdecimal() and int(number[:4]) < len(self.networks)):
            return respond_error(f"There is no target {number[:40]!r}.", 404)
        body = await limited_body(request, PICTURE)
        if body is None or len(body) != PICTURE:
            text = f"A picture is {PICTURE} bytes, 28x28 pixels, 255 for ink."
            return respond_error(text, 413 if body is None else 400)
        picture = np.frombuffer(body, np.uint8).reshape(SIDE, SIDE)
        return respond_json(await self.networks[int(number[:4])].ask(picture))
