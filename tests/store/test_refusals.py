"""Servers that lack something, refuse, fail or are not there."""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.pictures import row_of
from tests.store.servers import Server
from tests.store.small_server import SmallServer, small_server

from edgerig.errors import StoreError
from edgerig.files import sha256
from edgerig.store import Entry, Versions, open_dataset, open_store

ENTRY = Entry(name="a", sha256=sha256(b"x"), size=1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallServer]:
    with small_server() as state:
        for name, value in state.environment.items():
            monkeypatch.setenv(name, value)
        yield state


def test_the_probe_finds_out_a_server_that_cannot_create_only(
    small: SmallServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert open_store("s3://lab/x", writing=True).creates_only
    small.creates_only = False
    with caplog.at_level(logging.WARNING):
        assert not open_store("s3://lab/x", writing=True).creates_only
    assert "s3://lab/x cannot create a file only where there is none" in caplog.text
    assert small.objects == {}, "the probe left something"


def test_such_a_server_has_one_writer(small: SmallServer) -> None:
    small.creates_only = False
    versions, _ = open_dataset("s3://lab/street", writing=True)
    first = versions.commit([ENTRY], base=None)
    second = versions.commit([ENTRY, Entry(name="b", sha256=sha256(b"x"), size=1)], base=first)
    assert (second.version, versions.read()) == (2, second)
    assert sorted(small.objects) == ["lab/street/v000001.json", "lab/street/v000002.json"]


def test_a_second_writer_of_it_is_refused_with_the_name_of_the_first(small: SmallServer) -> None:
    small.creates_only = False
    versions, _ = open_dataset("s3://lab/street", writing=True)
    first = versions.commit([ENTRY], base=None)
    from edgerig.store.single_writer import single_writer

    with single_writer(versions.store, "street"):
        other, _ = open_dataset("s3://lab/street", writing=True)
        with pytest.raises(StoreError, match=r"Somebody else writes street .*, process \d+"):
            other.commit([], base=first)
    assert other.commit([], base=first).version == 2


def test_the_note_of_a_writer_that_died_counts_no_more_after_a_while(small: SmallServer) -> None:
    small.creates_only = False
    versions, _ = open_dataset("s3://lab/street", writing=True)
    note = {"identity": "0", "who": "gone, process 1", "since": 1_000_000.0}
    versions.store.put("street/writer.json", msgspec.json.encode(note))
    assert versions.commit([ENTRY], base=None).version == 1


def test_a_writer_whose_note_was_taken_over_says_so(small: SmallServer) -> None:
    small.creates_only = False
    store = open_store("s3://lab", writing=True)
    from edgerig.store.single_writer import single_writer

    note = {"identity": "1", "who": "other, process 2", "since": 1_000_000.0}
    with pytest.raises(StoreError, match="other, process 2"), single_writer(store, "street"):
        store.put("street/writer.json", msgspec.json.encode(note))
    assert store.size("street/writer.json") is not None, "the note of the other stays"


def test_a_server_that_is_busy_is_asked_again(small: SmallServer) -> None:
    store = open_store("s3://lab")
    small.failing = 3
    store.put("x", b"1")
    assert small.puts() == ["lab/x"]


def test_a_lost_answer_to_a_commit_is_no_conflict(small: SmallServer) -> None:
    """The server has stored the file, and its answer never came: the client asks again and is refused."""
    versions, _ = open_dataset("s3://lab/street", writing=True)

    class Losing:
        def __init__(self) -> None:
            self.create = versions.store.create

        def __call__(self, key: str, data: bytes) -> bool:
            assert self.create(key, data)
            return self.create(key, data)

    versions.store.create = Losing()  # type: ignore[method-assign]
    assert versions.commit([ENTRY], base=None).version == 1
    assert versions.numbers() == [1]


def test_a_wrong_key_and_a_missing_bucket_are_said(keys: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for writing in (False, True):
        with pytest.raises(StoreError, match=r"status 404 NoSuchBucket.\nThere is no such bucket"):
            open_store("s3://none/x", writing=writing)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-of-the-test")
    for writing in (False, True):
        with pytest.raises(StoreError, match=r"403 SignatureDoesNotMatch.\nThe secret key does not") as failure:
            open_store("s3://lab/x", writing=writing)
        assert keys.access not in str(failure.value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY")
    with pytest.raises(StoreError, match=r"status 403 InvalidAccessKeyId"):
        open_store("s3://lab/x")


def test_no_server_and_no_network_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with small_server() as state:
        environment = state.environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("edgerig.store.s3._PATIENCE", 0.2)
    with pytest.raises(StoreError, match="no answer from the server"):
        open_store("s3://lab/x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://nowhere.invalid")
    with pytest.raises(StoreError, match="no answer from the server"):
        open_store("s3://lab/x")


_IMPORT = """
import sys
from edgerig.cli import main
main(["data", "import", sys.argv[1], "--to", sys.argv[2]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("sent_signal", [signal.SIGKILL, signal.SIGINT], ids=lambda each: each.name)
def test_an_import_that_is_stopped_goes_on_and_sends_nothing_twice(
    small: SmallServer, tmp_path: Path, sent_signal: signal.Signals
) -> None:
    for number in range(200):
        path = tmp_path / "photos" / f"{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(row_of(b"content %d" % number))
    small.pause = 0.02
    call = [sys.executable, "-c", _IMPORT, str(tmp_path / "photos"), "s3://lab/street"]
    process = subprocess.Popen(call, stderr=subprocess.PIPE)
    while len(small.puts("/objects/")) < 60 and process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    process.send_signal(sent_signal)
    _, errors = process.communicate()
    if sent_signal == signal.SIGINT:
        assert process.returncode == 130, errors
        assert b"no version was made" in errors
    small.pause = 0
    before = len(small.puts("/objects/"))
    assert 60 <= before < 200, errors
    assert "lab/street/v000001.json" not in small.objects, "no version before all of it is there"
    subprocess.run(call, check=True, capture_output=True)
    sent = small.puts("/objects/")
    assert len(sent) == len(set(sent)) == 200
    versions = Versions(open_store("s3://lab"), "street")
    assert versions.read().header.count == 200
    for entry in versions.read().entries:
        assert sha256(versions.store.objects.get(entry.sha256)) == entry.sha256
