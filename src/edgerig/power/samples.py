"""Lines of a ``time,watts`` stream as samples."""

from __future__ import annotations

import math
import re
import threading
from array import array

from edgerig.errors import AnswerError
from edgerig.power.recording import Recording, recording

#: Units of another size in a name of the first column, and of the second, as instruments' own files have them.
_OTHER_TIMES = re.compile(
    r"(?i)(?<![a-zµμ])(ms|msec|us|usec|µs|μs|ns|min|h|milli\w*|micro\w*|nano\w*|minutes?|hours?)(?![a-z])"
)
_OTHER_POWERS = re.compile(
    r"(?<![A-Za-zµμ])(mW|uW|µW|μW|nW|kW|mw|uw|m?A|uA|µA|μA|m?V|u?J|(?i:milli\w*|micro\w*|current\w*|volt\w*|amp\w*|energy\w*|time\w*))"
    r"(?![A-Za-z])"
)


class SampleLines:
    """Collects lines of two columns, time in s and power in W, or three: the level of a pin, 0 or 1, whose falling
    edges are marks.

    A mark lies between two samples: it is taken in the middle of them, and may be off by half of their interval. Lines
    that are empty or begin with ``#`` are left out, and so is one line of names before the first sample, which may not
    speak of other units: a thousand times the energy would look like any other. ``averaged`` as in `Recording`.

    >>> lines = SampleLines("meter")
    >>> for line in ("time,watts,pin", "0.0,1.0,1", "0.1,1.0,0", "0.2,3.0,1"):
    ...     lines.take(line)
    >>> lines.recording().marks
    array([0.05])
    """

    def __init__(self, who: str, *, averaged: bool = False) -> None:
        self.who, self.averaged = who, averaged
        self._times, self._watts, self._marks = array("d"), array("d"), array("d")
        self._level: bool | None = None
        self._columns = 0
        self._widest = 0.0
        self._header = False
        # Lines come from another thread than the one that asks for the recording.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._times)

    def clear(self) -> None:
        """Forget the samples, not the columns."""
        with self._lock:
            for values in (self._times, self._watts, self._marks):
                del values[:]
            self._widest = 0.0

    def take(self, line: str) -> None:
        """Take one line.

        Raises:
            AnswerError: It is no sample.
        """
        if not line or line.startswith("#"):
            return
        parts = [part.strip() for part in line.split(",")]
        try:
            values = [float(part) for part in parts]
        except ValueError:
            if not self._columns and not self._header and all(part[:1].isalpha() for part in parts):
                self._take_names(parts)
                return
            raise self._wrong(line) from None
        columns = self._columns or len(values)
        sound = len(values) == columns and columns in (2, 3) and all(map(math.isfinite, values))
        if not sound or (columns == 3 and values[2] not in (0.0, 1.0)):
            raise self._wrong(line)
        self._columns = columns
        with self._lock:
            if columns == 3:
                self._see(values[0], bool(values[2]))
            self._times.append(values[0])
            self._watts.append(values[1])

    def _take_names(self, names: list[str]) -> None:
        """Take the line of names: how many columns there are, and that they are seconds and watts."""
        other = next(
            (name for name, units in zip(names, (_OTHER_TIMES, _OTHER_POWERS), strict=False) if _says(name, units)),
            None,
        )
        if other is not None:
            raise AnswerError(
                f"{self.who}: the column {other[:80]!r} is none of seconds and watts.",
                "Columns are time in s, power in W, and perhaps a pin: scale them, exchange them, or name them anew.",
            )
        self._header, self._columns = True, len(names)

    def recording(self) -> Recording:
        """What came since the last `clear`.

        Raises:
            AnswerError: It is no recording.
        """
        with self._lock:
            return recording(self._times, self._watts, self._marks, mark_error=self._widest, averaged=self.averaged)

    def _see(self, now: float, level: bool) -> None:
        if self._level and not level and len(self._times):
            half = (now - self._times[-1]) / 2
            self._marks.append(now - half)
            self._widest = max(self._widest, half)
        self._level = level

    def _wrong(self, line: str) -> AnswerError:
        return AnswerError(
            f"{self.who}, after {len(self)} samples: {line[:80]!r} is no sample.",
            "A line is time,watts or time,watts,pin: seconds, watts, and 0 or 1 for the level of the timestamp pin.",
        )


def _says(name: str, units: re.Pattern[str]) -> bool:
    """Whether a column's name has one of ``units``; ``power_mW`` and ``timestamp_ms`` have them after a bar."""
    return units.search(name.replace("_", " ")) is not None
