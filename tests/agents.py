"""Agents that serve in a thread of the tests' own process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

from edgerig.agent.serial import SerialAgent
from edgerig.agent.server import Agent

A = TypeVar("A", Agent, SerialAgent)


@contextmanager
def serving(agent: A) -> Iterator[A]:
    """Serve within the block, and end with it."""
    thread = Thread(target=agent.serve)
    thread.start()
    try:
        yield agent
    finally:
        agent.stop()
        thread.join(20)
        assert not thread.is_alive()
