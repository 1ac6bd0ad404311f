"""What a way in has of the server that it belongs to."""

from __future__ import annotations

import msgspec

from edgerig.artifact import Artifact
from edgerig.serve.pool import Pool


class Service(msgspec.Struct, frozen=True):
    """One network that is served.

    Attributes:
        name: What clients call it.
        pool: Runs their requests.
    """

    name: str
    pool: Pool

    @property
    def artifact(self) -> Artifact:
        """The network's file."""
        return self.pool.artifact
