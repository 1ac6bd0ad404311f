"""The collector is paused for a block, and is as it was after it."""

import contextlib
import gc

import pytest

from edgerig.collector import paused_collector


@pytest.mark.parametrize("enabled", [True, False])
def test_it_is_as_it_was_afterwards(enabled: bool) -> None:
    before = gc.isenabled()
    try:
        gc.enable() if enabled else gc.disable()
        with contextlib.suppress(ImportError), paused_collector():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() == enabled
    finally:
        gc.enable() if before else gc.disable()
