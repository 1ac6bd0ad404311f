"""Of several runs that want one folder, one has it; the others are told, and leave it as it is."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.report.conftest import make_run
from tests.results.conftest import begin, make_measured

from edgerig.engine.rounds.journal import Journal
from edgerig.errors import EdgerigError, StorageError, UsageError
from edgerig.results import lock
from edgerig.results.bundle import Bundle
from edgerig.results.lock import FolderLock
from edgerig.results.types import CellFailure


def test_a_second_run_is_told_that_the_folder_is_in_use(tmp_path: Path) -> None:
    first, second = begin(tmp_path / "run"), Bundle(tmp_path / "run")
    first.lock()
    for attempt in (second.lock, second.archive):
        with pytest.raises(UsageError, match="is in use"):
            attempt()
    assert not (tmp_path / "run.1").exists()
    first.unlock()
    second.lock()
    second.unlock()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.parametrize("again", [False, True], ids=["gone", "another-run"])
@pytest.mark.parametrize("moved", [False, True], ids=["removed", "moved"])
def test_a_run_whose_folder_was_taken_away_writes_nothing_into_what_is_there_now(
    tmp_path: Path, moved: bool, again: bool
) -> None:
    out = tmp_path / "run"
    first = begin(out)
    first.lock()
    cell, arrays = make_measured([0.001])
    first.write_cell(cell, arrays)
    if moved:
        out.rename(tmp_path / "moved")
    else:
        shutil.rmtree(out)
    second = begin(out) if again else Bundle(out)
    if again:
        second.lock()
    there = sorted(tmp_path.rglob("*"))
    journal = Journal(first.scratch("b"), "key", check=first.check_place)
    for write in (
        lambda: first.write_cell(cell, arrays),
        lambda: first.write_round(cell, arrays["times_ns"]),
        lambda: first.write_load(cell.id, 2, {}),
        lambda: first.write_header(first.header()) if again else first.check_place(),
        lambda: first.write_failure(CellFailure(id="b", error="E", message="m", time="t")),
        lambda: first.write_result(make_run(()).result),
        lambda: journal.append(times_ns=arrays["times_ns"]),
        journal.load,
    ):
        with pytest.raises(StorageError, match="was moved or removed while the run wrote to it"):
            write()
    assert not first.locked
    first.unlock()
    assert sorted(tmp_path.rglob("*")) == there, "the other run's lock stands, too"
    assert second.locked == again
    second.unlock()
    if moved:
        assert Bundle(tmp_path / "moved").read_cell(cell.id) == cell


#: Races of four processes each; prints what each said, and what lies in the folder at the end.
RACES = """
import os, sys
from pathlib import Path
from edgerig.errors import EdgerigError
from edgerig.results.bundle import Bundle, Header

def header(name):
    return Header(version=1, name=name, edgerig="0", created="", plan_hash="", rig={}, cells=())

def race(run, name, start, answers, end):
    bundle = Bundle(run)
    start.read()
    try:
        bundle.archive()
        bundle.write_header(header(name))
        said = "won"
    except EdgerigError as error:
        said = error.message.replace(str(run), "run")
    os.write(answers, (said + "\\n").encode())
    end.read()

for number in range(int(sys.argv[2])):
    run = Path(sys.argv[1]) / str(number) / "run"
    Bundle(run).write_header(header("n"))
    (run / "results.json").write_text("{}")
    start, answers, end = os.pipe(), os.pipe(), os.pipe()
    racers = []
    for name in "abcd":
        racers.append(os.fork())
        if racers[-1] == 0:
            os.close(start[1]), os.close(end[1])
            race(run, name, os.fdopen(start[0], "rb"), answers[1], os.fdopen(end[0], "rb"))
            os._exit(0)
    os.close(start[0]), os.close(answers[1]), os.close(end[0])
    os.close(start[1])
    said = b""
    while said.count(b"\\n") < len(racers):
        said += os.read(answers[0], 4096)
    os.close(end[1]), os.close(answers[0])
    for racer in racers:
        os.waitpid(racer, 0)
    names = sorted(path.name for path in run.parent.iterdir())
    print(sorted(said.decode().splitlines()), names, Bundle(run.with_name("run.1")).header().name)
"""
IN_USE = "run is in use: Another run is writing to it."


@pytest.mark.slow
def test_of_runs_that_race_for_a_folder_one_wins_and_the_others_say_in_use(tmp_path: Path) -> None:
    races = 50
    command = [sys.executable, "-c", RACES, str(tmp_path), str(races)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines() == [f"{[IN_USE, IN_USE, IN_USE, 'won']} ['run', 'run.1'] n"] * races


def test_nobody_gets_in_between_the_old_folder_and_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the moment when the old folder is gone and the new one is not yet locked, another run wants it."""
    monkeypatch.setattr(lock, "LONGEST_MOVE", 0.05)
    bundle, rename, said = begin(tmp_path / "run"), Path.rename, []

    def rename_and_be_visited(path: Path, target: Path) -> Path:
        moved = rename(path, target)
        with pytest.raises(UsageError) as caught:
            Bundle(tmp_path / "run").lock()
        said.append(caught.value.message)
        return moved

    monkeypatch.setattr(Path, "rename", rename_and_be_visited)
    old = bundle.archive()
    assert bundle.put_back(old)
    assert len(said) == 2
    assert all("is in use" in text for text in said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_folder_whose_new_one_cannot_be_locked_stays_where_it_is(tmp_path: Path) -> None:
    bundle = begin(tmp_path / "run")
    bundle.lock()
    folder_lock = FolderLock(tmp_path / "run")
    folder_lock._handle = bundle._lock._handle
    lock_file = tmp_path / "run" / ".lock"

    def refuse(folder: Path) -> int:
        folder.mkdir()
        raise StorageError("The disk is full.")

    folder_lock._lock = refuse  # type: ignore[method-assign]
    with pytest.raises(StorageError, match="full"):
        folder_lock.move_aside()
    assert lock_file.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    assert bundle.header().name == "n"
    with pytest.raises(UsageError, match="is in use"):
        Bundle(tmp_path / "run").lock()


@pytest.mark.parametrize("to", ["nowhere/at/all", ".lock"])
def test_a_lock_that_leads_nowhere_is_not_tried_for_ever(tmp_path: Path, to: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(to)
    with pytest.raises(EdgerigError):
        Bundle(tmp_path / "run").lock()


def test_where_nobody_may_write_beside_the_folder_it_can_be_locked_all_the_same() -> None:
    code = (
        "import os, sys; from pathlib import Path; from edgerig.results.bundle import Bundle\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "Bundle(Path(sys.argv[1])).lock(); print('locked')"
    )
    with tempfile.TemporaryDirectory() as root:  # pytest's own folders are closed to other users
        closed = Path(root)
        (closed / "run").mkdir()
        (closed / "run").chmod(0o777)
        closed.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", code, str(closed / "run")], capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.returncode) == ("locked\n", 0), done.stderr
        assert [path.name for path in closed.iterdir()] == ["run"]
        closed.chmod(0o755)
