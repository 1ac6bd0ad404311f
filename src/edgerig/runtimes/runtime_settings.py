"""Settings that every runtime has."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edgerig.environments import choice
from edgerig.measure.census import Fallback
from edgerig.plugins import Settings


class RuntimeSettings(Settings, frozen=True, kw_only=True):
    """Settings that every runtime has."""

    threads: Annotated[int, msgspec.Meta(description="threads that the engine may use", ge=1, le=4096)] = 1
    state: Annotated[
        dict[str, str],
        msgspec.Meta(
            description="inputs that are an output of the inference before, by name: {input: output}; in a rig file it "
            "is said of the model"
        ),
    ] = msgspec.field(default_factory=dict)
    fallback: Annotated[
        Fallback,
        msgspec.Meta(
            description="what is asked for by name (a delegate, a provider, a type) may also run elsewhere: forbid: "
            "not one operator; part: some of them, which is told beside the numbers; allow: all of them"
        ),
    ] = "part"
    python: Annotated[str | None, msgspec.Meta(description=choice.DESCRIPTION)] = None
