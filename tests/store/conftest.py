"""One server for object storage for all tests of stores."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.store.servers import Server, moto_server

from edgerig.store import Store, open_store

_numbers = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with moto_server() as running:
        yield running


@pytest.fixture(autouse=True)
def no_keys_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see neither the variables nor the profile of whoever runs them."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name == "EDGERIG_CREDENTIALS":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))


@pytest.fixture
def keys(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, with its keys in the environment."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture(params=["s3", "folder", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store, of each kind."""
    number = next(_numbers)
    if request.param == "s3":
        request.getfixturevalue("keys")
        return f"s3://lab/tests/{number}"
    return str(tmp_path / "store") if request.param == "folder" else f"memory://{number}"


@pytest.fixture
def store(address: str) -> Store:
    """An empty store of each kind, open for writing."""
    return open_store(address, writing=True)
