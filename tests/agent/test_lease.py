import json
import threading
import time

import pytest

from edgerig.agent import lease as module
from edgerig.agent.lease import FILE, Leases
from edgerig.errors import LeaseError, StorageError
from edgerig.wire.ownership import Owner

ANN, BOB = Owner("a" * 32, "ann@desk, process 1"), Owner("b" * 32, "bob@ci, process 2")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """Time that passes only when the test says so."""
    made = Clock()
    monkeypatch.setattr(module.time, "monotonic", made.monotonic)
    return made


class FakeSession:
    def __init__(self) -> None:
        self.why: LeaseError | None = None

    def revoke(self, why: LeaseError) -> None:
        self.why = why


def test_one_owner_has_one_lease_over_all_its_connections():
    leases = Leases()
    first = leases.claim(ANN, "1.2.3.4")
    assert leases.claim(ANN, "1.2.3.4") is first
    leases.leave(first)
    leases.leave(first)
    assert leases.claim(ANN, "1.2.3.4") is first


def test_second_owner_is_told_who_has_it_under_which_number_and_until_when(clock):
    leases = Leases()
    mine = leases.claim(ANN, "1.2.3.4")
    with pytest.raises(LeaseError, match=rf"ann@desk, process 1 has it, with lease {mine.fence}, until .* UTC") as told:
        leases.claim(BOB, "5.6.7.8", wait=0)
    assert told.value.retry_after == 0
    leases.leave(mine)
    with pytest.raises(LeaseError, match="if it does not come back") as told:
        leases.claim(BOB, "5.6.7.8", wait=0)
    assert told.value.retry_after == pytest.approx(leases.seconds)


def test_owner_comes_back_within_its_time_and_after_it_if_nobody_came(clock):
    leases = Leases()
    mine = leases.claim(ANN, "x")
    leases.leave(mine)
    clock.now += leases.seconds - 1
    assert leases.claim(ANN, "x") is mine
    leases.leave(mine)
    clock.now += 100 * leases.seconds
    assert leases.claim(ANN, "x") is mine


def test_lease_that_ran_out_passes_on_under_a_larger_number_and_the_stale_owner_is_refused_by_name(clock):
    leases = Leases()
    mine = leases.claim(ANN, "x")
    session = FakeSession()
    leases.enter(mine, session)
    clock.now += leases.seconds + 1
    threading.Timer(0.1, leases.exit, (mine, session)).start()
    theirs = leases.claim(BOB, "y")
    assert theirs.fence > mine.fence
    assert "bob@ci, process 2" in session.why.message
    for attempt in (
        lambda: leases.claim(ANN, "x"),
        lambda: leases.claim(Owner(ANN.id, ANN.who, mine.fence), "x"),
        lambda: leases.renew(mine),
        lambda: leases.enter(mine, FakeSession()),
    ):
        with pytest.raises(LeaseError, match=rf"passed to bob@ci, process 2, with lease {theirs.fence}") as told:
            attempt()
        assert told.value.retry_after is None
    # Stale for ever, even when the other is done.
    leases.release(theirs)
    with pytest.raises(LeaseError, match="bob@ci"):
        leases.claim(ANN, "x")


def test_renewing_keeps_others_out(clock):
    leases = Leases()
    mine = leases.claim(ANN, "x")
    for _ in range(10):
        clock.now += leases.seconds * 0.9
        leases.renew(mine)
    with pytest.raises(LeaseError):
        leases.claim(BOB, "y", wait=0)


def test_release_lets_the_next_one_in_at_once():
    leases = Leases()
    mine = leases.claim(ANN, "x")
    leases.release(mine)
    theirs = leases.claim(BOB, "y", wait=0)
    assert theirs.fence == mine.fence + 1
    leases.release(mine)  # again, and too late: nothing happens to the other's
    leases.renew(theirs)


def test_released_lease_whose_session_still_ends_keeps_its_place_until_then():
    leases = Leases()
    mine = leases.claim(ANN, "x")
    session = FakeSession()
    leases.enter(mine, session)
    leases.release(mine)
    assert session.why is not None
    with pytest.raises(LeaseError, match="just ending"):
        leases.claim(BOB, "y", wait=0)
    leases.exit(mine, session)
    leases.claim(BOB, "y", wait=0)


def test_new_session_of_the_same_run_ends_the_one_before():
    leases = Leases()
    mine = leases.claim(ANN, "x")
    old, new = FakeSession(), FakeSession()
    leases.enter(mine, old)
    threading.Timer(0.1, leases.exit, (mine, old)).start()
    leases.enter(mine, new)
    assert "took over" in old.why.message
    assert mine.sessions == {0: new}


def test_owner_without_a_name_has_the_device_as_long_as_its_connection():
    leases = Leases()
    first = leases.claim(None, "1.2.3.4:5")
    with pytest.raises(LeaseError, match=r"1\.2\.3\.4:5 has it"):
        leases.claim(None, "1.2.3.4:6", wait=0)
    leases.leave(first)
    leases.claim(Owner(""), "1.2.3.4:6", wait=0)


def test_waiting_owner_gets_the_device_when_it_is_free():
    leases = Leases()
    mine = leases.claim(ANN, "x")
    threading.Timer(0.1, leases.release, (mine,)).start()
    assert leases.claim(BOB, "y", wait=10).fence == mine.fence + 1


def test_several_slots_are_several_leases_with_numbers_of_their_own(clock):
    leases = Leases(slots=2)
    one, two = leases.claim(ANN, "x"), leases.claim(BOB, "y")
    assert one.fence != two.fence
    eve = Owner("e" * 32, "eve")
    with pytest.raises(LeaseError, match="busy"):
        leases.claim(eve, "z", wait=0)
    clock.now += leases.seconds / 2
    leases.renew(two)
    clock.now += leases.seconds / 2 + 1
    three = leases.claim(eve, "z", wait=0)
    assert three.fence > two.fence
    leases.renew(two)
    with pytest.raises(LeaseError, match="passed to eve"):
        leases.renew(one)


def test_many_owners_at_once_never_have_the_device_together_and_numbers_only_grow():
    leases = Leases()
    inside, seen, most = [0], [], [0]

    def run(number: int) -> None:
        owner = Owner(f"{number:032}", f"run {number}")
        for _ in range(10):
            lease = leases.claim(owner, "x", wait=30)
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            seen.append(lease.fence)
            inside[0] -= 1
            leases.release(lease)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
    assert seen == sorted(set(seen))
    assert len(seen) == 80


def test_numbers_and_leases_survive_a_restart(tmp_path, clock):
    before = Leases(folder=tmp_path)
    mine = before.claim(ANN, "x")
    after = Leases(folder=tmp_path)
    with pytest.raises(LeaseError, match="ann@desk"):
        after.claim(BOB, "y", wait=0)
    assert after.claim(Owner(ANN.id, ANN.who, mine.fence), "x").fence == mine.fence
    clock.now += after.seconds + 1
    theirs = after.claim(BOB, "y", wait=0)
    assert theirs.fence == mine.fence + 1
    again = Leases(folder=tmp_path)
    with pytest.raises(LeaseError, match="passed to bob@ci"):
        again.claim(Owner(ANN.id, ANN.who, mine.fence), "x", wait=0)
    assert Leases(folder=tmp_path).claim(BOB, "y").fence == theirs.fence


def test_connections_without_a_name_are_not_kept_over_a_restart_but_their_numbers_are_used_up(tmp_path):
    used = Leases(folder=tmp_path).claim(None, "x").fence
    assert Leases(folder=tmp_path).claim(ANN, "y", wait=0).fence == used + 1


def test_without_a_folder_numbers_still_grow_from_start_to_start(monkeypatch):
    first = Leases().claim(ANN, "x").fence
    soon = time.time() + 10
    monkeypatch.setattr(module.time, "time", lambda: soon)
    assert Leases().claim(ANN, "x").fence > first


def test_without_a_folder_an_owner_of_before_the_restart_is_stale_once_somebody_else_is_there():
    leases = Leases()
    leases.claim(BOB, "y")
    with pytest.raises(LeaseError, match="passed to bob@ci"):
        leases.claim(Owner(ANN.id, ANN.who, 5), "x", wait=0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fence": "x"}', "\x00\xff"])
def test_file_that_cannot_be_read_is_told_and_not_overwritten(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(StorageError, match="Cannot read"):
        Leases(folder=tmp_path)
    assert (tmp_path / FILE).read_text() == text


def test_lease_that_cannot_be_kept_is_not_granted(tmp_path, monkeypatch):
    leases = Leases(folder=tmp_path)

    def full(*_):
        raise StorageError("Could not write: no space left.")

    monkeypatch.setattr(module, "write_json", full)
    with pytest.raises(StorageError):
        leases.claim(ANN, "x")
    monkeypatch.undo()
    leases.claim(BOB, "y", wait=0)


def test_names_of_owners_cannot_forge_lines_of_the_log():
    lease = Leases().claim(Owner("c" * 32, "eve\n1.2.3.4: session ended\x1b[2J" + "x" * 500), "x")
    assert "\n" not in lease.who
    assert "\x1b" not in lease.who
    assert len(lease.who) <= 80


def test_what_lies_on_disk_has_no_more_than_it_needs(tmp_path):
    Leases(folder=tmp_path).claim(ANN, "x")
    kept = json.loads((tmp_path / FILE).read_text())
    assert set(kept) == {"fence", "leases", "lost"}
