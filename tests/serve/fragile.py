"""An engine that dies, refuses, or hangs when a sample tells it to."""

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from edgerig.runtimes.base import Calls
from edgerig.runtimes.litert import LiteRt

#: First values of a sample that end the process, fail the inference, or make it last for ever.
DEADLY, REFUSED, ENDLESS = 666.0, 777.0, 888.0


class Fragile(LiteRt):
    """LiteRT, but for three values."""

    name = "fragile"
    summary = "LiteRT that dies of 666, fails of 777, and hangs of 888"

    def _calls(self) -> Calls:
        set_inputs, invoke, get_outputs = super()._calls()

        def checked(sample: Sequence[NDArray[Any]]) -> None:
            first = float(sample[0].reshape(-1)[0])
            if first == DEADLY:
                os.kill(os.getpid(), signal.SIGKILL)
            while first == ENDLESS:
                time.sleep(1.0)
            if first == REFUSED:
                raise ValueError("this sample is refused")
            set_inputs(sample)

        return checked, invoke, get_outputs
