"""The messages of the digits' protocol as typed values."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

#: Side of a digit's picture in pixels.
SIDE = 28
#: Numbers of one picture.
PIXELS = SIDE * SIDE
#: Outputs of the network: one a digit.
OUTPUTS = 10
#: Port of a digits server unless another is named.
PORT = 32001


class Command(IntEnum):
    """What a message is."""

    GET_STATS = 0
    INFERENCE_INPUT = 1
    INFERENCE_OUTPUT = 2


class Mode(IntEnum):
    """Which kernels a server's network runs on."""

    NONE = 0
    CMSIS_NN = 1


class StatsRequest(msgspec.Struct, frozen=True):
    """Asks a server what it is."""


class InferenceRequest(msgspec.Struct, frozen=True, eq=False):
    """Asks for the inference of one picture.

    Attributes:
        digit: ``(784,)`` float32, all finite, row after row; a view into the message that it was decoded from.
    """

    digit: NDArray[np.float32]


class StatsReply(msgspec.Struct, frozen=True):
    """What a server is.

    Attributes:
        version: The server's version, 0 to 255.
        freq: Clock of its processor in Hz; 0 if it does not say.
        mode: Its kernels; a number if this version of the protocol has no name for it.
    """

    version: int
    freq: int
    mode: int

    @property
    def mode_name(self) -> str:
        """The mode's name in the schema."""
        return f"ACCELERATION_{Mode(self.mode).name}" if self.mode in list(Mode) else f"mode {self.mode}"

    def as_dict(self) -> dict[str, Any]:
        """Its fields for JSON."""
        return {"version": self.version, "freq_hz": self.freq, "mode": self.mode_name}


class InferenceReply(msgspec.Struct, frozen=True, eq=False):
    """What the network says of one picture.

    Attributes:
        outputs: ``(10,)`` float32, all finite.
        timer_ms: The server's time of the inference in ms, finite and not negative.
        output_n: How many outputs the server says there are: 10, or 0 from servers that leave it out.
    """

    outputs: NDArray[np.float32]
    timer_ms: float
    output_n: int = OUTPUTS

    @property
    def digit(self) -> int:
        """The digit with the largest output."""
        return int(np.argmax(self.outputs))

    def __str__(self) -> str:
        """The lines that clients of this protocol print."""
        lines = [f"Command: {int(Command.INFERENCE_OUTPUT)}", f"Execution time: {self.timer_ms:.6f} msec"]
        return "\n".join(lines + [f"Out[{n}]: {self.outputs[n]:.6f}" for n in reversed(range(OUTPUTS))])


Request = StatsRequest | InferenceRequest
Reply = StatsReply | InferenceReply
