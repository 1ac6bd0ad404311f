"""The page at the root of a server's HTTP port, for the networks that there is one for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgerig.errors import IncompatibleError
from edgerig.serve.digit_network import DigitNetwork, open_networks
from edgerig.serve.service import Service
from edgerig.serve.ways.base import Way
from edgerig.serve.ways.digits_page import DigitsPage

if TYPE_CHECKING:
    from starlette.routing import BaseRoute


class Page(Way):
    """A page to draw on, for networks of digits. Others have none.

    Args:
        targets: Further targets that the page offers beside the server's own, such as ``sim:stm32f746``; the network
            has a session of its own on each.
    """

    name = "page"

    def __init__(self, targets: Sequence[str] = ()) -> None:
        super().__init__()
        self.targets = tuple(targets)
        self._further: list[DigitNetwork] = []

    def routes(self, service: Service) -> Sequence[BaseRoute]:
        """The page's; sessions on further targets are opened.

        Raises:
            IncompatibleError: There are further targets, and it is no network of digits.
            EdgerigError: A further target is not there, or does not run the network.
        """
        try:
            own = DigitNetwork(service.pool)
        except IncompatibleError:
            if self.targets:
                raise
            return ()
        further = dict.fromkeys(target for target in self.targets if target != own.target)
        self._further = open_networks(service.artifact, list(further))
        for network in self._further:
            network.pool.start()
        return DigitsPage(service.name, [own, *self._further]).routes()

    async def stop(self, deadline: float) -> None:
        """Close the sessions on the further targets."""
        await asyncio.gather(*(network.pool.stop(deadline) for network in self._further))
