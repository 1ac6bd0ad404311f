"""A device on a serial port, or on anything else that pyserial opens."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from edgerig.targets.remote.base import WiredTarget
from edgerig.targets.settings import LinkSettings
from edgerig.wire.lossy import LossyClient
from edgerig.wire.serial import Line, open_serial, parse_serial


class SerialSettings(LinkSettings, frozen=True, kw_only=True):
    """Settings of a device on a serial port. Parameters in the address take precedence."""

    baud: Annotated[int, msgspec.Meta(description="bits a second", ge=50)] = 115200
    rtscts: Annotated[bool, msgspec.Meta(description="flow control by the lines RTS and CTS")] = False
    dsrdtr: Annotated[bool, msgspec.Meta(description="flow control by the lines DSR and DTR")] = False
    parity: Annotated[Literal["N", "E", "O"], msgspec.Meta(description="parity bit: none, even or odd")] = "N"
    stopbits: Annotated[Literal[1, 2], msgspec.Meta(description="stop bits")] = 1
    dtr: Annotated[
        bool | None, msgspec.Meta(description="level of the line DTR; null for what the system does by itself")
    ] = None
    rts: Annotated[
        bool | None, msgspec.Meta(description="level of the line RTS; null for what the system does by itself")
    ] = None


class Serial(WiredTarget):
    """A device at ``serial:///dev/ttyACM0?baud=115200``: a microcontroller, or an agent with a serial port."""

    name = "serial"
    summary = "a device on a serial port: serial:///dev/ttyACM0?baud=115200"
    extra = "serial"
    modules: ClassVar[tuple[str, ...]] = ("serial",)
    Settings = SerialSettings
    settings: SerialSettings
    address = "serial:///dev/ttyACM0"

    @classmethod
    def check_address(cls, address: str) -> None:
        parse_serial(address).line()

    def connect(self) -> LossyClient:
        self.require()
        port = parse_serial(self.address)
        line = self._line()
        link = open_serial(port, line)
        link.discard()
        return LossyClient(link, who=self.address, timeout=self.settings.timeout, byte_seconds=line.byte_seconds)

    def _line(self) -> Line:
        names = [field.name for field in msgspec.structs.fields(Line)]
        return parse_serial(self.address).line({name: getattr(self.settings, name) for name in names})


class Rfc2217(Serial):
    """A serial port of another machine, at ``rfc2217://HOST:PORT?baud=115200``."""

    name = "rfc2217"
    summary = "a serial port of another machine: rfc2217://HOST:PORT?baud=115200"
    address = "rfc2217://localhost:2217"


class Socket(Serial):
    """Bytes of a serial port that somebody passes on over TCP, at ``socket://HOST:PORT``."""

    name = "socket"
    summary = "a serial port whose bytes come over TCP: socket://HOST:PORT"
    address = "socket://localhost:2217"
