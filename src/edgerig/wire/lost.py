"""Errors for a device that disconnected, or for a peer that is no device."""

from __future__ import annotations

from collections.abc import Callable

from edgerig.errors import TargetError
from edgerig.wire.pace import TooSlow


def no_hello(who: str, error: OSError, seconds: float, unread: bytes) -> TargetError:
    """The error for a missing HELLO.

    Args:
        error: What ended the wait, which lasted ``seconds`` at most.
        unread: Received bytes that are no message.
    """
    if isinstance(error, TimeoutError):
        what = f"has not answered for {seconds:g} s; it has not even said hello."
    else:
        what = "hung up instead of saying hello."
    what += f" It sent what is no message of edgerig's: {unread[:60]!r}." if unread else ""
    return TargetError(
        f"{who} {what}",
        "Is it an edgerig agent that listens there?"
        + ("" if unread else " If so, the device is busy: look at the agent's output."),
    )


def gone(who: str, error: OSError, timeout: float, why_gone: Callable[[], str | None]) -> TargetError:
    """Why a session with a device ended.

    Args:
        error: The link's error.
        timeout: Seconds that the host waited.
        why_gone: Called where the link broke: what else is known about the reason, or None.
    """
    if isinstance(error, TooSlow):
        return TargetError(
            f"{who} does not keep up: {error}.", "Look at the network between; is the device's agent stopped?"
        )
    if isinstance(error, TimeoutError):
        return TargetError(
            f"{who} has not answered for {timeout:g} s.",
            "Is one inference longer than that? Raise the target's setting `timeout`. Else the network hangs.",
        )
    reason = why_gone()
    if reason:
        return TargetError(f"{who} went away: {reason}")
    return TargetError(f"{who} went away: {error.strerror or error}.", "Look at the agent's output on the device.")
