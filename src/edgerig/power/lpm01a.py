"""ST's LPM01A (X-NUCLEO-LPM01A, "PowerShield"): it feeds a device, sums up its energy, and sees the edges of pin D7.

The host sends a command a line; the instrument answers ``PowerShield > ack COMMAND``, or ``error COMMAND`` and a line
``Error detail: ..``. While it acquires it sends a line for each period, ``1234-05`` for 1234e-5 J, between them
``event 0 ris`` when the pin changed and ``TimeStamp: 001s 000ms, buff 03%``. Source: user manual UM2269 of ST, and the
commands that MLCommons' runner of MLPerf Tiny gives.
"""

from __future__ import annotations

import contextlib
import queue
import re
import threading
import time
from array import array
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np

from edgerig.errors import AnswerError, EdgerigError, TargetError
from edgerig.plugins import Settings
from edgerig.power.base import PowerMonitor
from edgerig.power.lines import LineReader
from edgerig.power.recording import Recording, recording
from edgerig.text import one_line
from edgerig.wire.link import Link
from edgerig.wire.serial import SCHEME, open_serial, parse_serial

BAUD = 3_686_400
#: Seconds for the answer to a command, for the end of an acquisition, and for whether one is running when we come.
_ANSWER_SECONDS, _END_SECONDS, _LOOK_SECONDS = 2.0, 5.0, 0.15
#: By how many samples, and what share of them, their number may differ from the instrument's own clock.
_OFF_SAMPLES, _OFF_SHARE = 3, 0.005
_PROMPT = re.compile(r"^(PowerShield|stlp) > ?")
_SAMPLE = re.compile(r"(\d{4})([+-]\d{2})")
_EVENT = re.compile(r"event \d+ (ris|fal)")
_STAMP = re.compile(r"TimeStamp: (\d+)s (\d+)ms, buff (\d+)%")
_MESSAGE = re.compile(r"[A-Za-z][\x20-\x7e]*")
_ENDS = ("end", "Acquisition completed")


class Lpm01aSettings(Settings, frozen=True, kw_only=True):
    """Settings of `Lpm01a`."""

    port: Annotated[str, msgspec.Meta(description="the instrument's port: /dev/ttyACM1, or serial://.. with settings")]
    voltage: Annotated[float, msgspec.Meta(description="volts that the device is fed with", ge=1.8, le=3.3)] = 1.8
    frequency: Annotated[
        Literal[100, 200, 500, 1000, 2000, 5000, 10000], msgspec.Meta(description="samples a second")
    ] = 1000


class Acquisition:
    """What came since an acquisition began: joules of each period, and the moments of events between them.

    Args:
        frequency: Periods a second.
    """

    def __init__(self, frequency: int) -> None:
        self.frequency = frequency
        self._joules, self._marks = array("d"), array("d")
        self._stamp: tuple[float, int] | None = None
        # Lines come from another thread than the one that asks for the recording.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._joules)

    def take(self, line: str) -> bool:
        """Take one line; whether it was part of the data.

        Raises:
            TargetError: The instrument lost samples.
        """
        if sample := _SAMPLE.fullmatch(line):
            with self._lock:
                self._joules.append(float(f"{sample[1]}e{sample[2]}"))
        elif _EVENT.fullmatch(line):
            # It happened within the period whose sample comes next.
            with self._lock:
                self._marks.append((len(self) + 0.5) / self.frequency)
        elif stamp := _STAMP.fullmatch(line):
            self._check_clock(int(stamp[1]) + int(stamp[2]) / 1000, int(stamp[3]))
        else:
            return False
        return True

    def recording(self) -> Recording:
        """The samples as mean power of each period.

        Raises:
            AnswerError: There are too few.
        """
        with self._lock:
            times = np.arange(1, len(self) + 1) / self.frequency
            watts = np.array(self._joules) * self.frequency
            return recording(times, watts, self._marks, mark_error=0.5 / self.frequency, averaged=True)

    def _check_clock(self, seconds: float, fill: int) -> None:
        if fill >= 100:
            raise TargetError(
                f"The power monitor's buffer ran full after {len(self)} samples: samples are lost.",
                "The line or this machine is too slow; set a lower frequency.",
            )
        if self._stamp is not None:
            expected = (seconds - self._stamp[0]) * self.frequency
            came = len(self) - self._stamp[1]
            if abs(came - expected) > _OFF_SAMPLES + _OFF_SHARE * expected:
                raise TargetError(
                    f"{came} samples of the power monitor came in {seconds - self._stamp[0]:.3f} s of its clock, "
                    f"{expected:.0f} should have: the line loses bytes.",
                    "Plug the instrument in directly, without a hub, or set a lower frequency.",
                )
        self._stamp = seconds, len(self)


class Lpm01a(PowerMonitor):
    """An LPM01A on a serial port."""

    name: ClassVar[str] = "lpm01a"
    summary: ClassVar[str] = "ST's LPM01A: feeds the device, sums up its energy a thousand times a second, marks at D7"
    extra: ClassVar[str | None] = "serial"
    modules: ClassVar[tuple[str, ...]] = ("serial",)
    Settings: ClassVar[type[Settings]] = Lpm01aSettings
    feeds_device: ClassVar[bool] = True

    _link: Link | None = None
    _reader: LineReader | None = None

    def _open(self) -> None:
        self.require()
        port = self.settings.port
        address = parse_serial(port if "://" in port else f"{SCHEME}{port}")
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._acquiring = self._closing = False
        self._data = Acquisition(self.settings.frequency)
        self._link = open_serial(address, address.line({"baud": BAUD}))
        self._reader = LineReader(self._link, f"the power monitor at {port}", self._take, begun=False)
        self._end_earlier()
        self._set_up()

    def _set_up(self) -> None:
        frequency = self.settings.frequency
        hertz = f"{frequency // 1000}k" if frequency >= 1000 else str(frequency)
        for command in (
            "htc",
            "pwr off",
            "acqtime inf",
            "trigdelay 0",
            "trigsrc sw",
            "eventsrc d7 fal",
            "output energy",
            "format ascii_dec",
            f"freq {hertz}",
            f"volt {round(self.settings.voltage * 1000)}m",
            "pwr on nostatus",
        ):
            self._command(command)

    def _start(self) -> None:
        self._data = Acquisition(self.settings.frequency)
        self._ended.clear()
        # Even if its answer gets lost, it may acquire.
        self._acquiring = True
        self._command("start")
        if not self._live_reader.wait(lambda: len(self._data) > 0, _ANSWER_SECONDS):
            self._live_reader.check()
            raise TargetError("The power monitor took 'start', and sends no samples.", "Is its firmware current?")

    def _stop(self) -> Recording:
        reader = self._live_reader
        reader.check()
        if self._ended.is_set():
            raise TargetError(
                f"The power monitor ended by itself after {len(self._data)} samples.",
                "Did somebody press its buttons, or does the device draw more than 50 mA?",
            )
        self._end()
        reader.check()
        return self._data.recording()

    def _end(self) -> None:
        """Stop an acquisition, and wait for its end."""
        self._send("stop")
        if not self._live_reader.wait(self._ended.is_set, _END_SECONDS):
            self._live_reader.check()
            raise TargetError(
                f"The power monitor did not stop within {_END_SECONDS:g} s.", "Unplug it, and plug it in again."
            )
        self._acquiring = False

    def _end_earlier(self) -> None:
        """Stop what an earlier program left running."""
        time.sleep(_LOOK_SECONDS)
        self._live_reader.check()
        if len(self._data):
            self._acquiring = True
            self._end()

    def _close(self) -> None:
        reader, link = self._reader, self._link
        if reader is None or link is None:
            if link is not None:
                link.close()
            self._link = None
            return
        # What was wrong is told by now; answers matter again.
        self._closing = True
        reader.forget()
        with _whatever_happens():
            if self._acquiring and not self._ended.is_set():
                self._send("stop")
                reader.wait(self._ended.is_set, _ANSWER_SECONDS)
        for command in ("pwr off", "hrc"):
            with _whatever_happens():
                self._command(command)
        reader.close()
        self._reader = self._link = None

    @property
    def _live_reader(self) -> LineReader:
        if self._reader is None:
            raise TargetError("The power monitor is not open.")
        return self._reader

    def _send(self, command: str) -> None:
        if self._link is None:
            raise TargetError("The power monitor is not open.")
        try:
            self._link.send([f"{command}\r\n".encode()])
        except OSError as error:
            raise TargetError(f"The power monitor took no {command!r}: {error}.", "Is it plugged in?") from error

    def _command(self, command: str) -> None:
        """Send a command, and wait until it is acknowledged.

        Raises:
            TargetError: It is refused, or nothing comes back.
        """
        while not self._answers.empty():
            self._answers.get()
        self._send(command)
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:
            self._live_reader.check()
            try:
                answer = self._answers.get(timeout=min(0.05, max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                if time.monotonic() < deadline and not self._live_reader.ended:
                    continue
                raise TargetError(
                    f"The power monitor does not answer {command!r}.",
                    f"Is it an LPM01A, at {BAUD} baud, and does no other program use it?",
                ) from None
            if answer.startswith("ack") and command in answer:
                return
            if answer.lower().startswith("err"):
                self._acquiring = False
                raise TargetError(f"The power monitor refuses {command!r}: {self._details(answer)}.")

    def _details(self, answer: str) -> str:
        """What an error is about: a line of its own follows it."""
        with contextlib.suppress(queue.Empty):
            answer = f"{answer}, {self._answers.get(timeout=0.2)}"
        return one_line(answer.rstrip("."))

    def _take(self, line: str) -> None:
        """Called by the reader's thread with each line."""
        text = _PROMPT.sub("", line)
        if text in _ENDS:
            self._ended.set()
        elif self._closing:
            self._answers.put(text)
        elif not text or self._data.take(text):
            return
        elif text.lower().startswith("err") and len(self._data):
            raise TargetError(
                f"The power monitor says after {len(self._data)} samples: {one_line(text)}.",
                "If samples were lost: the line or this machine is too slow; set a lower frequency.",
            )
        elif _MESSAGE.fullmatch(text):
            self._answers.put(text)
        else:
            raise AnswerError(
                f"The power monitor sent {one_line(text, 60)!r} after {len(self._data)} samples, which is none: the "
                "line loses or damages bytes.",
                "Is it an LPM01A? Plug it in directly, without a hub, or set a lower frequency.",
            )


@contextlib.contextmanager
def _whatever_happens() -> Iterator[None]:
    """Whoever closes goes on with the next step where one fails."""
    with contextlib.suppress(EdgerigError, OSError):
        yield
