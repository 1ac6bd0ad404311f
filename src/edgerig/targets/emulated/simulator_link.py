"""The link to a simulated board: sent bytes go into its UART, and the board runs while an answer is awaited."""

from __future__ import annotations

from edgerig.simulator.simulator import CONSOLE, WIRE, Simulator
from edgerig.wire.link import Buffers, Link


class SimulatorLink(Link):
    """A link that loses nothing and takes no time of the board's.

    The board is run in the caller's thread, and only here: so nothing happens behind anybody's back, and every run is
    like the last one.
    """

    checked = False
    lossless = True

    def __init__(self, simulator: Simulator, line: int = WIRE) -> None:
        self.simulator, self._line = simulator, line
        self._resets = simulator.resets
        self._timeout: float | None = None
        self._closed = False

    def send(self, buffers: Buffers) -> None:
        self._see_it_lives()
        for part in buffers:
            self.simulator.write(self._line, bytes(part))

    def recv_into(self, view: memoryview) -> int:
        data = self.simulator.read(self._line, len(view)) or self._awaited(len(view))
        if not data:
            raise TimeoutError("the board waits for more and says nothing")
        view[: len(data)] = data
        return len(data)

    def set_timeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def close(self) -> None:
        self._closed = True

    def why_gone(self) -> str | None:
        """Why the board restarted, if it did."""
        if self.simulator.resets == self._resets:
            return None
        faults = self.simulator.faults
        return f"its firmware crashed. {faults[-1]}." if faults else "it restarted."

    def _awaited(self, most: int) -> bytes:
        """At most ``most`` bytes that the board says when it is run; none where it waits for more.

        Raises:
            TimeoutError: It was busy for too long. ConnectionResetError: It restarted.
        """
        self._see_it_lives()
        # Output after a restart is not an answer.
        self.simulator.run(self._timeout, through_resets=False)
        # Discard the console's output, which would grow without limit.
        self.simulator.read(CONSOLE)
        data = self.simulator.read(self._line, most)
        if not data:
            self._see_it_lives()
        return data

    def _see_it_lives(self) -> None:
        if self._closed:
            raise ConnectionResetError("the connection is closed")
        if self.simulator.resets != self._resets:
            raise ConnectionResetError("the board restarted")
