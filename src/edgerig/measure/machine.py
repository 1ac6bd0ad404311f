"""What machine this is, in what state, and whether it is fit to measure."""

from __future__ import annotations

import msgspec


class MachineState(msgspec.Struct, frozen=True, kw_only=True):
    """A machine at one moment. A field is None where the machine does not tell.

    Attributes:
        host: Name of the machine.
        system: Operating system and release.
        cpu: Model of the processor; ``cores`` of it may be used by this process.
        memory_bytes: Physical memory; ``memory_free_bytes`` of it available.
        load_1min: Load average over the last minute.
        governor: Frequency governor, ``frequency_hz`` the current frequency of the first core.
        temperature_c: Hottest sensor. ``throttled``: whether the machine says that it throttles.
        python: Python's version. ``packages``: versions of the engines that are installed.
        time: UTC, ISO 8601.
    """

    host: str
    system: str
    architecture: str
    cpu: str
    cores: int
    memory_bytes: int | None = None
    memory_free_bytes: int | None = None
    load_1min: float | None = None
    governor: str | None = None
    frequency_hz: float | None = None
    temperature_c: float | None = None
    throttled: bool | None = None
    virtual: str | None = None
    python: str = ""
    packages: dict[str, str] = {}
    edgerig: str = ""
    time: str = ""
