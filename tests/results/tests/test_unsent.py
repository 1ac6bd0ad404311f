"""A history that cannot be reached: the test stays on this machine, and goes there the next time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgerig.errors import StorageError
from edgerig.results.tests.history import TestHistory, open_history
from edgerig.results.tests.record import RecordedTest
from edgerig.results.tests.unsent import UnsentTests, lines_of, record_tests, unsent_addresses

MakeRecord = Callable[..., RecordedTest]


@pytest.fixture
def unreachable(tmp_path: Path) -> Path:
    """A history whose folder cannot be made, until the file in its way is gone."""
    (tmp_path / "share").write_text("not mounted")
    return tmp_path / "share" / "tests"


def days(history: TestHistory) -> list[str]:
    return [record.date[:10] for _, record in history.read(say=pytest.fail)]


def test_a_test_is_sent_and_nothing_stays(tmp_path: Path, make_record: MakeRecord) -> None:
    sent = record_tests(tmp_path / "tests", [make_record()], state=tmp_path / "state")
    assert sent.kept is None
    assert list(sent.names) == open_history(tmp_path / "tests").names()
    assert UnsentTests(tmp_path / "tests", tmp_path / "state").names() == []
    assert unsent_addresses(tmp_path / "state") == []
    assert lines_of(sent, "lab") == [f"Recorded: {sent.names[0]} in lab"]


def test_what_cannot_be_sent_goes_with_the_next_one(tmp_path: Path, unreachable: Path, make_record: MakeRecord) -> None:
    state = tmp_path / "state"
    for day in (14, 15):
        sent = record_tests(unreachable, [make_record(date=f"2026-03-{day}T09:26:00Z")], state=state)
        assert sent.kept is not None
        assert str(unreachable) in sent.reason
        assert "kept in" in lines_of(sent, unreachable)[1]
    assert unsent_addresses(state) == [str(unreachable)]
    (tmp_path / "share").unlink()
    sent = record_tests(unreachable, [make_record(date="2026-03-16T09:26:00Z")], state=state)
    assert (sent.earlier, sent.kept) == (2, None)
    assert "2 tests of an earlier time" in lines_of(sent, unreachable)[-1]
    assert days(open_history(unreachable)) == ["2026-03-14", "2026-03-15", "2026-03-16"]
    assert unsent_addresses(state) == []


def test_a_history_that_vanishes_midway_gets_the_rest_later(tmp_path: Path, make_record: MakeRecord) -> None:
    records = [make_record(date=f"2026-03-{day}T09:26:00Z") for day in (14, 15, 16)]

    class Vanishing(TestHistory):
        def put(self, file: object) -> None:
            if len(self.names()) == 1:
                raise StorageError("The store does not answer any more.")
            super().put(file)  # type: ignore[arg-type]

    sent = record_tests(
        tmp_path / "tests",
        records,
        state=tmp_path / "state",
        opened=lambda address: Vanishing(open_history(address).records),
    )
    assert sent.reason == "The store does not answer any more."
    assert days(open_history(tmp_path / "tests")) == ["2026-03-14"]
    assert len(UnsentTests(tmp_path / "tests", tmp_path / "state").names()) == 2
    record_tests(tmp_path / "tests", [], state=tmp_path / "state")
    assert days(open_history(tmp_path / "tests")) == ["2026-03-14", "2026-03-15", "2026-03-16"]


@pytest.mark.parametrize("where", ["here", "there"])
def test_a_damaged_record_holds_nothing_else_back(
    tmp_path: Path, unreachable: Path, make_record: MakeRecord, where: str
) -> None:
    state = tmp_path / "state"
    for day in (14, 15):
        record_tests(unreachable, [make_record(date=f"2026-03-{day}T09:26:00Z")], state=state)
    unsent = UnsentTests(unreachable, state)
    first, second = unsent.names()
    (tmp_path / "share").unlink()
    if where == "there":
        unreachable.mkdir(parents=True)
    damaged = (unsent.folder if where == "here" else unreachable) / first
    damaged.write_bytes(b"cut off")
    new = make_record(date="2026-03-16T09:26:00Z")
    sent = record_tests(unreachable, [new], state=state)
    assert (len(sent.names), sent.earlier, sent.kept, len(sent.held)) == (1, 1, None, 1)
    assert first in sent.held[0]
    assert "stays on this machine" in lines_of(sent, unreachable)[-1]
    assert unsent.names() == [first], "it is neither lost nor put into the history as it is"
    names = open_history(unreachable).names()
    assert [name for name in names if name != first] == [second, *sent.names]
    assert (first in names) == (where == "there")


def test_without_a_place_to_keep_it_a_test_goes_straight_into_the_history(
    tmp_path: Path, unreachable: Path, make_record: MakeRecord
) -> None:
    (tmp_path / "state").write_text("no folder")
    sent = record_tests(tmp_path / "tests", [make_record()], state=tmp_path / "state")
    assert list(sent.names) == open_history(tmp_path / "tests").names()
    with pytest.raises(StorageError):
        record_tests(unreachable, [make_record()], state=tmp_path / "state")


def test_one_history_has_one_place_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert UnsentTests("tests", tmp_path).folder == UnsentTests(tmp_path / "tests", tmp_path).folder
    assert UnsentTests("s3://lab/tests/", tmp_path).folder == UnsentTests("s3://lab/tests", tmp_path).folder
    assert UnsentTests("s3://lab/tests", tmp_path).folder != UnsentTests("s3://lab/other", tmp_path).folder
