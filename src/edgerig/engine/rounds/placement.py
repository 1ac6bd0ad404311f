"""What of a cell's network really runs where and in which type, and what of the request that leaves unmet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.engine.rounds.context import CellContext
from edgerig.errors import AnswerError, InferenceError
from edgerig.measure.census import Census, Fallback, Verdict, verdicts, with_scheme
from edgerig.measure.kinds import Unavailable
from edgerig.plugins import make
from edgerig.runtimes.base import Runtime
from edgerig.targets.base import Session

Array = NDArray[Any]


def census_of(session: Session, inputs: Sequence[Array], artifact: Artifact) -> Census | Unavailable:
    """The census of the loaded network, with what ``artifact`` asks for; why there is none, if there is none."""
    try:
        census = session.census(inputs)
    except (AnswerError, InferenceError) as error:
        return Unavailable(error.message.rstrip("."))
    # Mixed precision leaves layers in float32 for their accuracy: the file is no request for int8 alone.
    mixed = any(origin.options.get("float_layers") for origin in artifact.origins)
    return census if isinstance(census, Unavailable) or mixed else with_scheme(census, artifact.scheme)


def fallback_of(context: CellContext) -> Fallback:
    """What the cell's runtime may do instead of what it is asked for."""
    return make("runtime", context.cell.runtime.use, Runtime, context.cell.runtime.options).settings.fallback


def refuse_unmet(census: Census | Unavailable, fallback: Fallback, runtime: str) -> None:
    """Refuse numbers of a network that ran as something else than what was asked for.

    Raises:
        InferenceError: A request is not met at all, or with ``forbid`` in part only.
    """
    if isinstance(census, Unavailable) or fallback == "allow":
        return
    for verdict in verdicts(census):
        if verdict.outcome == "not" or (verdict.outcome == "part" and fallback == "forbid"):
            raise _unmet(verdict, runtime)


def _unmet(verdict: Verdict, runtime: str) -> InferenceError:
    how_far = "not at all" if verdict.outcome == "not" else "in part only, and `fallback: forbid` is set"
    return InferenceError(
        f"{runtime} does not do what it was asked for, {how_far}: {verdict.text}",
        "Its numbers would be those of something else. To have them nevertheless, told as what they are: "
        f"`{{use: {runtime}, fallback: allow}}` in the rig, --runtime-option fallback=allow for bench.",
    )
