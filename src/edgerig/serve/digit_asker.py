"""A network of digits that is asked from any thread: by a window, a widget or a notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from edgerig.artifact import Artifact
from edgerig.models.files import open_artifact
from edgerig.serve.digit_network import DigitAnswer, DigitNetwork, open_networks
from edgerig.serve.drawing import Picture
from edgerig.serve.loop import LoopThread

#: Seconds that a session gets for what it was asked when it is closed.
CLOSE_SECONDS = 10.0


class DigitAsker:
    """A network on one or several targets, each with a session of its own.

    Args:
        model: Its file, or an artifact.
        targets: ``local``, ``tcp://pi:7433``, ``sim:stm32f746`` ..

    Attributes:
        targets: Their names, in this order.

    Raises:
        EdgerigError: The file is no network of digits, or a target is not there or does not run it.
    """

    def __init__(self, model: Path | str | Artifact, targets: Sequence[str] = ("local",)) -> None:
        artifact = model if isinstance(model, Artifact) else open_artifact(Path(model))
        self._networks = open_networks(artifact, list(dict.fromkeys(targets)))
        self._thread = LoopThread()
        self._thread.run(self._start())

    async def _start(self) -> None:
        for network in self._networks:
            network.pool.start()

    @property
    def targets(self) -> list[str]:
        """Where it can be asked."""
        return [network.target for network in self._networks]

    @property
    def networks(self) -> Sequence[DigitNetwork]:
        """The network on each of them."""
        return self._networks

    def ask(self, picture: Picture, target: int = 0) -> DigitAnswer:
        """What the network says of ``picture``, shape (28, 28), on the target of that number.

        Raises:
            EdgerigError: As `DigitNetwork.ask`.
        """
        return self.submit(picture, target).result()

    def submit(self, picture: Picture, target: int = 0) -> Future[DigitAnswer]:
        """The same, without waiting for the answer."""
        return asyncio.run_coroutine_threadsafe(self._networks[target].ask(picture), self._thread.loop)

    def close(self) -> None:
        """End the sessions."""
        self._thread.run(self._stop())
        self._thread.close()

    async def _stop(self) -> None:
        await asyncio.gather(*(network.pool.stop(CLOSE_SECONDS) for network in self._networks))

    def __enter__(self) -> DigitAsker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
