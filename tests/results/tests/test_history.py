"""Several writers of one history lose nothing, and whoever is killed leaves no half of a record."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edgerig.errors import StorageError
from edgerig.results.tests import folder
from edgerig.results.tests.folder import FolderRecords
from edgerig.results.tests.history import TestHistory, open_history
from edgerig.results.tests.record import RecordedTest, encode_record

MakeRecord = Callable[..., RecordedTest]
WRITER = Path(__file__).with_name("appending.py")


def descriptions(history: TestHistory, said: list[str] | None = None) -> list[str]:
    return [record.description for _, record in history.read(say=(said or []).append)]


def start(history: Path, template: Path, writer: str, count: int) -> subprocess.Popen[str]:
    words = [sys.executable, str(WRITER), str(history), str(template), writer, str(count)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def template(tmp_path: Path, make_record: MakeRecord) -> Path:
    path = tmp_path / "template.json"
    path.write_bytes(msgspec.json.encode(make_record()))
    return path


def test_tests_come_back_in_the_order_of_time(tmp_path: Path, make_record: MakeRecord) -> None:
    history = open_history(tmp_path / "new" / "tests")
    assert descriptions(history) == []
    for day in (15, 13, 14):
        history.append(make_record(date=f"2026-03-{day}T09:26:00Z", description=f"day {day}"))
    assert descriptions(history) == ["day 13", "day 14", "day 15"]


def test_few_records_are_read_ahead(tmp_path: Path, make_record: MakeRecord) -> None:
    class Counting(FolderRecords):
        reads = 0

        def read(self, name: str, limit: int) -> bytes:
            self.reads += 1
            return super().read(name, limit)

    records = Counting(tmp_path)
    history = TestHistory(records)
    for number in range(60):
        history.append(make_record(description=f"{number}"))
    reading = history.read()
    next(reading)
    reading.close()
    assert records.reads <= 17, "the one that was asked for, and one for each thread"
    assert len(list(history.read())) == 60


def test_appending_a_test_again_changes_nothing(tmp_path: Path, make_record: MakeRecord) -> None:
    history = open_history(tmp_path)
    assert history.append(make_record()) == history.append(make_record())
    assert len(history.names()) == 1


def test_a_name_that_another_file_has_taken_is_an_error_and_no_loss(tmp_path: Path, make_record: MakeRecord) -> None:
    (tmp_path / encode_record(make_record()).name).write_bytes(b"something else")
    with pytest.raises(StorageError, match="cut off or changed"):
        open_history(tmp_path).append(make_record())


@pytest.mark.slow
def test_twelve_writers_at_once_lose_nothing(tmp_path: Path, template: Path) -> None:
    history = tmp_path / "tests"
    writers = [start(history, template, f"w{number}", 5) for number in range(12)]
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    expected = {f"w{writer}/{number}" for writer in range(12) for number in range(5)}
    read = descriptions(open_history(history))
    assert len(read) == 60
    assert set(read) == expected


def test_a_writer_that_is_killed_leaves_what_it_told_and_no_half(tmp_path: Path, template: Path) -> None:
    history, told, left_out = tmp_path / "tests", list[str](), list[str]()
    writer = start(history, template, "w", 1_000_000)
    assert writer.stdout is not None
    # It is in the midst of a record when it dies: it says each one, and begins the next at once.
    for _ in range(40):
        told.append(writer.stdout.readline().strip())
    writer.kill()
    told += writer.communicate(timeout=30)[0].split()
    read = descriptions(open_history(history), left_out)
    assert set(told) <= set(read)
    assert len(read) <= len(told) + 1  # the last one may have been linked and not told
    assert not left_out


#: Dies right before a call of a name to the system, as `kill -9` there would leave it.
DIES = """
import os, sys
from edgerig.results.tests.folder import FolderRecords
event, folder = sys.argv[1:]
sys.addaudithook(lambda name, arguments: os._exit(9) if name == event else None)
FolderRecords(__import__("pathlib").Path(folder)).create("a.json", b"whole")
"""


@pytest.mark.parametrize(
    ("event", "names"), [("os.chmod", []), ("os.link", []), ("os.remove", ["a.json"]), ("no event", ["a.json"])]
)
def test_a_death_before_any_call_leaves_a_whole_file_or_none(tmp_path: Path, event: str, names: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, event, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == (0 if event == "no event" else 9)
    assert FolderRecords(tmp_path).names() == names
    assert all((tmp_path / name).read_bytes() == b"whole" for name in names)


def test_without_links_a_file_is_created_once_too(
    tmp_path: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(folder.os, "link", no_links)
    records = FolderRecords(tmp_path)
    assert records.create("a.json", b"first")
    assert not records.create("a.json", b"second")
    assert (tmp_path / "a.json").read_bytes() == b"first"
    history = open_history(tmp_path / "tests")
    history.append(make_record())
    assert len(descriptions(history)) == 1


def test_what_is_no_record_is_named_and_left_out(tmp_path: Path, make_record: MakeRecord) -> None:
    history = open_history(tmp_path)
    history.append(make_record(description="whole"))
    cut_off = history.append(make_record(date="2026-03-15T09:26:00Z"))
    (tmp_path / cut_off).write_bytes((tmp_path / cut_off).read_bytes()[:100])
    (tmp_path / "notes.txt").write_text("by hand")
    (tmp_path / ".20260314.tmp").write_text("{")  # of a writer that was killed
    said: list[str] = []
    assert [record.description for _, record in history.read(say=said.append)] == ["whole"]
    assert [text.split()[2] for text in said] == [cut_off, "notes.txt"]


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, make_record: MakeRecord) -> None:
    (tmp_path / "file").write_text("")
    history = open_history(tmp_path / "file" / "tests")
    with pytest.raises(StorageError, match="tests"):
        history.append(make_record())
    with pytest.raises(StorageError, match="cannot be read"):
        history.names()


def test_the_mode_of_a_record_is_that_of_the_umask(tmp_path: Path, make_record: MakeRecord) -> None:
    history = open_history(tmp_path)
    before = os.umask(0o027)
    try:
        name = history.append(make_record())
    finally:
        os.umask(before)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o640
