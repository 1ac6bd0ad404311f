"""Settings that several targets have, each declared once."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from edgerig.plugins import Settings

#: How a host has a network run: many samples a message, or the stepwise exchange.
Protocol = Literal["run", "stepwise"]
ProtocolSetting = Annotated[
    Protocol,
    msgspec.Meta(description="run: many samples a message; stepwise: DATA, PROCESS, OUTPUT, STATS for each"),
]
TimeoutSetting = Annotated[
    float, msgspec.Meta(description="seconds without an answer after which the device counts as gone", gt=0)
]


class LinkSettings(Settings, frozen=True, kw_only=True):
    """Settings of every device behind a link."""

    timeout: TimeoutSetting = 60.0
    protocol: ProtocolSetting = "run"
