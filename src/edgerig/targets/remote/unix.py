"""A device behind a unix socket: an agent on this machine, or one that SSH forwards."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edgerig.errors import TargetError
from edgerig.targets.remote.base import WiredTarget
from edgerig.targets.settings import LinkSettings
from edgerig.wire.client import WireClient
from edgerig.wire.unix import connect_unix, parse_unix

CONNECT_SECONDS = 10.0


class UnixSettings(LinkSettings, frozen=True, kw_only=True):
    """Settings of a device that is reached over a unix socket."""

    checksum: Annotated[bool, msgspec.Meta(description="give payloads a CRC-32")] = False


class Unix(WiredTarget):
    """An agent at ``unix:///path/to.sock``."""

    name = "unix"
    summary = "an agent behind a unix socket: unix:///path/to.sock"
    Settings = UnixSettings
    settings: UnixSettings
    address = "unix:///run/edgerig.sock"
    leased = True
    parallel = True

    @classmethod
    def check_address(cls, address: str) -> None:
        parse_unix(address)

    def connect(self) -> WireClient:
        address = parse_unix(self.address)
        try:
            link = connect_unix(address.path, CONNECT_SECONDS)
        except PermissionError as error:
            raise TargetError(
                f"{self.address} may be used by its owner only.", "Run edgerig as the user that started the agent."
            ) from error
        except OSError as error:
            raise TargetError(
                f"No agent answers at {self.address}: {error.strerror or error}.",
                f"Start one: edgerig agent --listen {self.address}",
            ) from error
        return WireClient(link, who=self.address, timeout=self.settings.timeout, checked=self.settings.checksum)
