"""An engine that dies, or refuses, when a sample tells it to."""

import os
import signal
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from edgerig.runtimes.base import Calls
from edgerig.runtimes.litert import LiteRt

#: First values of a sample that end the process, or fail the inference.
DEADLY, REFUSED = 666.0, 777.0


class Fragile(LiteRt):
    """LiteRT, but for two values."""

    name = "fragile"
    summary = "LiteRT that dies of 666 and fails of 777"

    def _calls(self) -> Calls:
        set_inputs, invoke, get_outputs = super()._calls()

        def checked(sample: Sequence[NDArray[Any]]) -> None:
            first = float(sample[0].reshape(-1)[0])
            if first == DEADLY:
                os.kill(os.getpid(), signal.SIGKILL)
            if first == REFUSED:
                raise ValueError("this sample is refused")
            set_inputs(sample)

        return checked, invoke, get_outputs
