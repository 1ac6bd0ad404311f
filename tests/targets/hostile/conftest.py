"""Fixtures of hostile devices."""

import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.targets.hostile.devices import EXAMPLE, Hostile


@pytest.fixture(scope="module")
def plain() -> Iterator[Any]:
    """The module of the plain device."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        yield importlib.import_module("device")
    finally:
        sys.path.remove(str(EXAMPLE))


@pytest.fixture
def hostile(plain) -> Iterator[Callable[..., Hostile]]:
    devices = []

    def make(twists: dict[int, Any], **more: Any) -> Hostile:
        devices.append(Hostile(plain, twists, **more))
        return devices[-1]

    yield make
    for device in devices:
        device.close()
