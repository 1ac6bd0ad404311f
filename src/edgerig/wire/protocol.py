"""The host's requests to a device, independent of the transport."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec

from edgerig.wire.messages import Loaded, ModelHeader, Statistics


class Answer(msgspec.Struct, frozen=True):
    """The answer to a RUN: samples, their on-device times as int64 bytes, and the bytes of each output tensor.

    The views are valid until the next request.
    """

    count: int
    times: memoryview
    outputs: list[memoryview]
    round_trip_ns: int


class RuntimeProtocol(ABC):
    """How a host has a device run a network: the model goes up, then for each sample inputs up and outputs down."""

    @abstractmethod
    def upload_model(self, header: ModelHeader, data: memoryview) -> Loaded:
        """Send a model file and have it loaded."""

    @abstractmethod
    def upload_input(self, inputs: Sequence[memoryview], count: int = 1) -> None:
        """Send the inputs of ``count`` samples, as bytes."""

    @abstractmethod
    def request_processing(self) -> int:
        """Run it; host time in ns between the device's first OK (it begins) and its second (it is done)."""

    @abstractmethod
    def download_output(self, count: int = 1) -> list[memoryview]:
        """The outputs of the last inference of ``count`` samples, as bytes."""

    @abstractmethod
    def download_statistics(self, machine: bool = False, sensors: bool = False) -> Statistics:
        """What the device knows about the last inference, about itself if ``machine``, and what its sensors tell."""
