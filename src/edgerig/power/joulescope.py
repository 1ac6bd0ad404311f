"""A recording that the Joulescope's own program made: a JLS file with power, or current and voltage, and the inputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import AnswerError, StorageError
from edgerig.plugins import Settings
from edgerig.power.base import PowerMonitor
from edgerig.power.recording import Recording, recording
from edgerig.text import one_line

if TYPE_CHECKING:
    from pyjls import Reader, SignalDef

#: Samples that are read at once: some MB.
_CHUNK = 1 << 20


class JoulescopeSettings(Settings, frozen=True, kw_only=True):
    """Settings of `Joulescope`."""

    file: Annotated[str, msgspec.Meta(description="the JLS file, recorded over the whole session")]
    input: Annotated[
        Literal[0, 1, 2, 3], msgspec.Meta(description="general-purpose input at the device's timestamp pin")
    ] = 0
    frequency: Annotated[
        int, msgspec.Meta(description="mean powers a second that are made of the file's samples", ge=10, le=1_000_000)
    ] = 10_000


class Joulescope(PowerMonitor):
    """A JLS file of version 2. Its samples, a million a second and more, are averaged over shorter periods."""

    name: ClassVar[str] = "joulescope"
    summary: ClassVar[str] = "a JLS file that a Joulescope recorded over the whole session"
    extra: ClassVar[str | None] = "joulescope"
    modules: ClassVar[tuple[str, ...]] = ("pyjls",)
    Settings: ClassVar[type[Settings]] = JoulescopeSettings

    @property
    def live(self) -> bool:
        return False

    def _open(self) -> None:
        """The recording may be saved later, at the end of the session."""
        self.require()

    def _start(self) -> None:
        """The recording is whole already."""

    def _stop(self) -> Recording:
        from pyjls import Reader

        path = Path(self.settings.file)
        if not path.is_file():
            raise StorageError(
                f"There is no file {path}.",
                "End the recording and save it under that name; the same command line then goes on with it.",
            )
        try:
            with Reader(str(path)) as reader:
                return self._read(reader)
        except AnswerError:
            raise
        except Exception as error:  # what the library raises is not declared
            raise AnswerError(
                f"{path} cannot be read as a JLS file: {one_line(error)}.",
                "Is it of JLS version 2, and was the recording ended before it was copied?",
            ) from error

    def _close(self) -> None:
        """Nothing is open between two calls."""

    def _read(self, reader: Reader) -> Recording:
        signals = {signal.name: signal for signal in reader.signals.values()}
        pin = signals.get(f"gpi[{self.settings.input}]")
        names = ("power",) if "power" in signals else ("current", "voltage")
        missing = [name for name in names if name not in signals]
        if missing:
            known = ", ".join(sorted(name for name in signals if name != "global_annotation_signal"))
            raise AnswerError(
                f"{self.settings.file} has no signal {' and '.join(missing)}, but {known}.",
                "Record power, or current and voltage.",
            )
        sources = [signals[name] for name in names]
        rate, first = sources[0].sample_rate, sources[0].sample_id_offset / sources[0].sample_rate
        each = max(1, round(rate / self.settings.frequency))
        watts = np.concatenate([*_means(reader, sources, each), np.zeros(0)])
        times = first + np.arange(1, len(watts) + 1) * each / rate
        falls = [] if pin is None else list(_falls(reader, pin))
        error = 0.0 if pin is None else 0.5 / pin.sample_rate
        return recording(times, watts, falls, mark_error=error, averaged=True)


def _means(reader: Reader, signals: list[SignalDef], each: int) -> Iterator[NDArray[np.float64]]:
    """Mean powers over ``each`` samples: of one signal, power, or the product of two."""
    length = min(signal.length for signal in signals)
    step = max(1, _CHUNK // each) * each
    for start in range(0, length - length % each, step):
        count = min(step, length - length % each - start)
        product = np.ones(count)
        for signal in signals:
            product *= reader.fsr(signal.signal_id, start, count)
        yield product.reshape(-1, each).mean(axis=1)


def _falls(reader: Reader, pin: SignalDef) -> Iterator[float]:
    """Seconds at which a digital input fell: in the middle of the last sample at 1 and the first at 0."""
    last = 0
    for start in range(0, pin.length, _CHUNK):
        count = min(_CHUNK, pin.length - start)
        levels = np.unpackbits(reader.fsr(pin.signal_id, start, count), bitorder="little")[:count]
        before = np.concatenate([[last], levels[:-1]])
        for index in np.flatnonzero((before == 1) & (levels == 0)):
            yield float((pin.sample_id_offset + start + index - 0.5) / pin.sample_rate)
        last = int(levels[-1])
