"""Clocks, memory, machine state, statistics; a measurement and its kind."""

from edgerig.measure.kinds import Kind, Measurement, Quantity, Unavailable
from edgerig.measure.stats import Distribution, summarize

__all__ = ["Distribution", "Kind", "Measurement", "Quantity", "Unavailable", "summarize"]
