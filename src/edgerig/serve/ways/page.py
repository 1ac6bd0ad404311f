"""The page at the root of a server's HTTP port, for the networks that there is one for."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgerig.errors import IncompatibleError, MissingExtraError
from edgerig.serve.digit_network import DigitNetwork, open_networks
from edgerig.serve.picture_network import PictureNetwork
from edgerig.serve.service import Service
from edgerig.serve.video.pipeline import NetworkView
from edgerig.serve.video.settings import ViewSettings
from edgerig.serve.ways.base import Way
from edgerig.serve.ways.digits_page import DigitsPage
from edgerig.serve.ways.picture_page import PicturePage

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

_logger = logging.getLogger(__name__)


class Page(Way):
    """A page to draw on, for networks of digits; for others of images one that takes pictures. The rest have none.

    Args:
        targets: Further targets that the page to draw on offers beside the server's own, such as ``sim:stm32f746``; the
            network has a session of its own on each.
        view: How pictures are read and what outputs mean, where that is asked for; a network of no images is refused
            then.
    """

    name = "page"

    def __init__(self, targets: Sequence[str] = (), view: ViewSettings | None = None) -> None:
        super().__init__()
        self.targets, self.view = tuple(targets), view
        self._further: list[DigitNetwork] = []
        self._pictures: PictureNetwork | None = None

    def routes(self, service: Service) -> Sequence[BaseRoute]:
        """The page's; sessions on further targets are opened.

        Raises:
            IncompatibleError: There are further targets, and it is no network of digits; or a ``view``, and none of
                images.
            EdgerigError: A further target is not there, or does not run the network.
        """
        try:
            own = DigitNetwork(service.pool)
        except IncompatibleError:
            if self.targets:
                raise
            return self._picture_routes(service)
        if self.view is not None:
            return self._picture_routes(service)
        further = dict.fromkeys(target for target in self.targets if target != own.target)
        self._further = open_networks(service.artifact, list(further))
        for network in self._further:
            network.pool.start()
        self.page = "/"
        return DigitsPage(service.name, [own, *self._further]).routes()

    def _picture_routes(self, service: Service) -> Sequence[BaseRoute]:
        if importlib.util.find_spec("PIL") is None:
            if self.view is not None:
                raise MissingExtraError("The page for pictures", "images", "Pillow")
            _logger.info("Without Pillow there is no page for pictures: pip install 'edgerig[images]'.")
            return ()
        try:
            view = NetworkView(service.artifact, self.view or ViewSettings())
        except IncompatibleError:
            if self.view is not None:
                raise
            return ()
        self._pictures = PictureNetwork(view, service.pool)
        self.page = "/"
        return PicturePage(service.name, service.pool.target.address, self._pictures).routes()

    async def stop(self, deadline: float) -> None:
        """Close the sessions on the further targets, and decode no more pictures."""
        if self._pictures is not None:
            self._pictures.close()
        await asyncio.gather(*(network.pool.stop(deadline) for network in self._further))
