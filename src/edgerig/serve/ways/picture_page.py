"""The page of a network of images: a picture is dropped, pasted, chosen or taken, and the answer shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgerig.serve.pages import files_of
from edgerig.serve.picture import FORMATS, MOST_BYTES
from edgerig.serve.picture_network import PictureNetwork
from edgerig.serve.ways.page_requests import PageFiles, guarded, limited_body, respond_error, respond_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute


class PicturePage:
    """The routes of the page.

    Args:
        name: The network's. target: Where it runs. network: Answers.
    """

    def __init__(self, name: str, target: str, network: PictureNetwork) -> None:
        self._network = network
        self._files = PageFiles({**files_of("picture"), "times.js": files_of("digits")["times.js"]})
        view = network.view
        self._about_page = {
            "name": name,
            "target": target,
            "task": view.task,
            "classes": len(view.names),
            "told": view.told,
            "most_bytes": MOST_BYTES,
            "formats": FORMATS,
        }

    def routes(self) -> Sequence[BaseRoute]:
        """The page at ``/``, and what it needs below ``/picture``."""
        from starlette.routing import Route

        return [
            Route("/", guarded(self._files.page)),
            Route("/picture", guarded(self._files.page)),
            Route("/picture/about", guarded(self._about)),
            Route("/picture/infer", guarded(self._infer), methods=["POST"]),
            Route("/picture/{name}", guarded(self._files.file)),
        ]

    async def _about(self, request: Request) -> Response:
        return respond_json(self._about_page)

    async def _infer(self, request: Request) -> Response:
        body = await limited_body(request, MOST_BYTES)
        if body is None:
            return respond_error(f"The picture's file is larger than {MOST_BYTES:,} bytes.", 413)
        return respond_json(await self._network.ask(body))
