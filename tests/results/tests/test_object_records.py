"""A history in a store: the same as in a folder, by several writers at once, and on a server that dies."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.store.conftest import keys, no_keys_of_the_user, server
from tests.store.servers import Server, moto_server

from edgerig.errors import StorageError, UsageError
from edgerig.results.history.store import History
from edgerig.results.tests.history import open_history
from edgerig.results.tests.object_records import ObjectRecords
from edgerig.results.tests.record import RecordedTest
from edgerig.results.tests.unsent import UnsentTests, record_tests
from edgerig.store import Store, open_store

MakeRecord = Callable[..., RecordedTest]
__all__ = ["keys", "no_keys_of_the_user", "server"]
_numbers = itertools.count()


@pytest.fixture(params=["s3", "memory"])
def address(request: pytest.FixtureRequest) -> str:
    """An empty history in a store of each kind."""
    if request.param == "s3":
        request.getfixturevalue("keys")
        return f"s3://lab/histories/{next(_numbers)}"
    return f"memory://histories{next(_numbers)}"


def test_a_store_keeps_what_a_folder_keeps(address: str, make_record: MakeRecord) -> None:
    history = open_history(address, writing=True)
    assert history.names() == []
    records = [make_record(date=f"2026-03-{day}T09:26:00Z") for day in (14, 15)]
    names = [history.append(record) for record in (*records, records[0])]
    assert history.address == address
    assert open_history(address).names() == sorted(set(names))
    assert [record for _, record in open_history(address).read(say=pytest.fail)] == records


def test_writers_at_once_lose_nothing(address: str, make_record: MakeRecord) -> None:
    def write(number: int) -> None:
        history = open_history(address, writing=True)
        for each in range(3):
            history.append(make_record(description=f"{number}/{each}"))

    with ThreadPoolExecutor(12) as writers:
        list(writers.map(write, range(12)))
    read = {record.description for _, record in open_history(address).read(say=pytest.fail)}
    assert read == {f"{number}/{each}" for number in range(12) for each in range(3)}


def test_a_cut_off_object_and_a_foreign_one_are_named(address: str, make_record: MakeRecord) -> None:
    history, store = open_history(address, writing=True), open_store(address, writing=True)
    whole = history.append(make_record())
    cut = history.append(make_record(description="cut"))
    store.put(cut, store.get(cut)[:50])
    store.put("notes.txt", b"by hand")
    store.put("folder/notes.txt", b"below")
    said: list[str] = []
    assert [name for name, _ in history.read(say=said.append)] == [whole]
    assert [text.split()[2] for text in said] == [cut, "notes.txt"]
    with pytest.raises(StorageError, match="is gone"):
        history.records.read("20260314T092600000000Z-0000000000000000.json", 10)
    assert len(history.records.read("notes.txt", 2)) == 3


def test_a_store_without_create_only_keeps_every_row(make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(f"memory://histories{next(_numbers)}", writing=True)
    monkeypatch.setattr(Store, "creates_only", False)
    records = ObjectRecords(store)
    assert records.create("a.json", b"first")
    assert not records.create("a.json", b"second")
    assert store.get("a.json") == b"first"


def test_the_index_reads_only_what_is_new(address: str, make_record: MakeRecord, tmp_path: Path) -> None:
    history = open_history(address, writing=True)
    history.append(make_record())
    index = History(tmp_path)
    assert (index.update_tests(history), index.update_tests(history)) == (1, 0)
    assert index.runs()[0].bundle == f"{address}/{history.names()[0]}"


def test_an_address_that_is_none_and_missing_keys_are_a_users_mistake(make_record: MakeRecord) -> None:
    for address in ("ftp://lab/tests", "s3://"):
        with pytest.raises(UsageError):
            open_history(address, writing=True)
    with pytest.raises(UsageError, match="credentials"):
        record_tests("s3://lab/tests", [make_record()])


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is gone is not asked for half a minute."""
    monkeypatch.setattr("edgerig.store.s3._PATIENCE", 0.2)


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch, short_patience: None) -> Iterator[tuple[Server, Callable[[], None]]]:
    """A server of its own, its keys in the environment, and what ends it."""
    context = moto_server()
    running = context.__enter__()
    ended: list[bool] = []

    def end() -> None:
        if not ended:
            ended.append(True)
            context.__exit__(None, None, None)

    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    yield running, end
    end()


@pytest.mark.slow
def test_a_server_that_dies_in_the_middle_gets_the_rest_from_the_next_test(
    mortal: tuple[Server, Callable[[], None]],
    server: Server,
    make_record: MakeRecord,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, end = mortal
    history = open_history("s3://lab/mortal", writing=True)
    history.append(make_record())
    end()
    sent = record_tests("s3://lab/mortal", [make_record(description="later")], state=tmp_path / "state")
    assert sent.kept is not None
    assert "s3://lab/mortal" in sent.reason
    assert len(UnsentTests("s3://lab/mortal", tmp_path / "state").names()) == 1
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    sent = record_tests("s3://lab/mortal", [make_record(description="next")], state=tmp_path / "state")
    assert (sent.kept, sent.earlier) == (None, 1)
    read = [record.description for _, record in open_history("s3://lab/mortal").read(say=pytest.fail)]
    assert sorted(read) == ["later", "next"]
