"""``edgerig data`` as tests call it, and the object storage that it speaks to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.command_line import Call, edgerig
from tests.store.small_server import SmallServer, small_server


@contextmanager
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallServer]:
    """A server for object storage, whose keys are in the environment."""
    monkeypatch.delenv("EDGERIG_CREDENTIALS", raising=False)
    with small_server() as state:
        for name, value in state.environment.items():
            monkeypatch.setenv(name, value)
        yield state


def data_call(capfd: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs ``edgerig data`` in ``folder``: exit code, standard output, standard error."""
    monkeypatch.chdir(folder)
    # Wide enough for every column of a table.
    monkeypatch.setenv("COLUMNS", "200")
    return partial(edgerig, capfd, "data")
