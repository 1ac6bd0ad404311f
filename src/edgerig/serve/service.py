"""What a way in has of the server that it belongs to."""

from __future__ import annotations

import msgspec

from edgerig.artifact import Artifact
from edgerig.serve.pool import Pool
from edgerig.serve.records import Records


class Service(msgspec.Struct, frozen=True):
    """One network that is served.

    Attributes:
        name: What clients call it.
        pool: Runs their requests.
        records: Hears of each of them.
    """

    name: str
    pool: Pool
    records: Records

    @property
    def artifact(self) -> Artifact:
        """The network's file."""
        return self.pool.artifact
