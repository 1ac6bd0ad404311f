"""A server waits on a processor only for one client that asks again and again, and as long as that pays."""

from edgerig.serve.busy_wait import ALONE, FEWEST, GAP_NS, LONGEST_NS, MOST, BusyWait

SECOND = 1_000_000_000


def waits(busy: BusyWait, count: int, gap_ns: int, *, in_vain: bool = False) -> int:
    """For how many of so many requests it waits, each so long after the answer to the one before."""
    total = 0
    for _ in range(count):
        now = busy._answered_ns + gap_ns
        allowance = busy.allowance(now)
        assert allowance in (0, LONGEST_NS)
        if allowance:
            total += 1
            busy.waited(in_vain=in_vain)
        busy.answered(now + 1)
    return total


def test_it_waits_once_requests_have_come_one_by_one() -> None:
    busy = BusyWait(2)
    assert waits(busy, ALONE - 1, GAP_NS) == 0
    assert waits(busy, 100, GAP_NS) == 100


def test_it_does_not_where_others_ask_meanwhile() -> None:
    busy = BusyWait(2)
    waits(busy, 50, SECOND)
    assert waits(busy, 1, GAP_NS - 1) == 0
    assert waits(busy, ALONE - 1, SECOND) == 0
    assert waits(busy, 1, SECOND) == 1


def test_it_does_not_on_a_single_core() -> None:
    assert waits(BusyWait(1), 100, SECOND) == 0


def test_waits_in_vain_become_rare_and_success_brings_them_back() -> None:
    busy = BusyWait(2)
    waits(busy, ALONE - 1, SECOND)
    assert waits(busy, 10_000, SECOND, in_vain=True) < 16
    assert waits(busy, 2 * MOST, SECOND) > 0
    waits(busy, 4 * MOST, SECOND)
    # It waits for all of them, and after a single miss soon again.
    assert waits(busy, 10, SECOND) == 10
    assert waits(busy, 1, SECOND, in_vain=True) == 1
    assert waits(busy, FEWEST, SECOND) == 0
    assert waits(busy, 1, SECOND) == 1
