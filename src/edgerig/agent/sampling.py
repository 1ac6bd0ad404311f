"""What a worker tells of its utilisation: sampled between requests, from the ``begin`` to the ``end`` of a STATS."""

from __future__ import annotations

from edgerig.measure.kinds import Unavailable
from edgerig.measure.utilisation import Sampler, Utilisation


class Sampling:
    """Samples this process and its machine while a host wants it."""

    def __init__(self) -> None:
        self._sampler: Sampler | None = None

    def tick(self, inferences: int) -> None:
        """Sample, if that is wanted and due; ``inferences``: how many there were. Not to be called within a request."""
        if self._sampler is not None:
            self._sampler.tick(inferences)

    def answer(self, step: str, inferences: int) -> Utilisation | Unavailable | None:
        """The answer to a STATS with ``step`` ``begin``, ``end`` or nothing."""
        if step == "begin":
            self._sampler = Sampler(inferences)
            return Unavailable("sampling has just begun")
        if step != "end":
            return None
        sampler, self._sampler = self._sampler, None
        if sampler is None:
            return Unavailable("the session began anew in the middle, and its samples are lost")
        return sampler.finish(inferences)

    def forget(self) -> None:
        """Stop, without an answer."""
        self._sampler = None
