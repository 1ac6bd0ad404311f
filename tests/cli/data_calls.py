"""``edgerig data`` as tests call it, and the object storage that it speaks to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.store.small_server import SmallServer, small_server

from edgerig.cli import main

Call = Callable[..., tuple[int, str, str]]


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

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["data", *arguments])
        captured = capfd.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run
