"""The memory planner: no overlaps, never under the bound, optimal for chains."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.micro.memory.planner import ALIGNMENT, Buffer, Plan, least_bytes, padded, place

pieces_of = st.lists(
    st.tuples(st.integers(1, 5000), st.integers(0, 12), st.integers(0, 6)).map(
        lambda one: Buffer("x", one[0], one[1], one[1] + one[2])
    ),
    max_size=14,
)


def check(plan: Plan, buffers: list[Buffer]) -> None:
    assert [(p.nbytes, p.first, p.last) for p in plan.buffers] == [(p.nbytes, p.first, p.last) for p in buffers]
    for buffer in plan.buffers:
        assert buffer.offset % ALIGNMENT == 0
        assert buffer.offset >= 0
        assert buffer.end <= plan.nbytes
    for one, two in itertools.combinations(plan.buffers, 2):
        assert not one.overlaps(two) or one.end <= two.offset or two.end <= one.offset
    assert plan.nbytes >= plan.lower_bound


@settings(deadline=None)
@given(buffers=pieces_of)
def test_pieces_that_are_needed_together_never_overlap(buffers: list[Buffer]) -> None:
    check(place(buffers), buffers)


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=15), scratch=st.lists(st.integers(0, 3000), max_size=14)
)
def test_chains_with_scratch_memory_are_placed_optimally(sizes: list[int], scratch: list[int]) -> None:
    chain = [Buffer("x", size, max(i - 1, 0), i) for i, size in enumerate(sizes)]
    chain += [Buffer("s", size, i, i) for i, size in enumerate(scratch[: len(sizes)]) if size]
    plan = place(chain)
    check(plan, chain)
    assert plan.nbytes == plan.lower_bound


def test_branches_come_close_to_the_bound() -> None:
    """Residual blocks, each input alive until its sum."""
    residual = []
    for block in range(6):
        start = 3 * block
        residual += [
            Buffer("in", 16384 >> block // 2, start, start + 2),
            Buffer("a", 16384 >> block // 2, start, start + 1),
            Buffer("b", 16384 >> block // 2, start + 1, start + 2),
        ]
    plan = place(residual)
    check(plan, residual)
    assert plan.nbytes <= 1.03 * plan.lower_bound


def test_an_output_over_its_input_counts_once_and_keeps_its_lead() -> None:
    grows = [Buffer("x", 400, 0, 0), Buffer("y", 800, 0, 1, over=0, lead=400), Buffer("s", 80, 0, 0)]
    plan = place(grows)
    x, y, _ = plan.buffers
    assert x.offset - y.offset >= 400
    assert plan.nbytes == plan.lower_bound == 880
    assert least_bytes(grows) == [880, 800]
    shrinks = [Buffer("x", 800, 0, 0), Buffer("y", 400, 0, 1, over=0, lead=-64)]
    assert place(shrinks).nbytes == 800


def test_an_output_that_is_written_from_its_end_begins_behind_its_input() -> None:
    plan = place([Buffer("x", 400, 0, 0), Buffer("y", 400, 0, 1, over=0, lead=64, backward=True)])
    x, y = plan.buffers
    assert (x.offset, y.offset) == (0, 64)
    assert plan.nbytes == plan.lower_bound == 464


def test_outputs_that_go_one_way_and_the_other_take_no_more_than_one_lead() -> None:
    def chain(*backward: bool) -> list[Buffer]:
        orders = enumerate(backward, 1)
        return [
            Buffer("x", 800, 0, 0),
            *(Buffer("y", 800, i - 1, i, over=i - 1, lead=200, backward=turned) for i, turned in orders),
        ]

    assert place(chain(False, True, False, True)).nbytes == 1000
    assert place(chain(False, False, False)).nbytes == 1400


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5000), min_size=2, max_size=12),
    leads=st.lists(st.tuples(st.integers(-5000, 5000), st.booleans()), min_size=12, max_size=12),
)
def test_leads_are_kept_in_chains_of_any_sizes(sizes: list[int], leads: list[tuple[int, bool]]) -> None:
    chain = [
        Buffer("x", size, max(i - 1, 0), i, over=i - 1 if i else None, lead=lead if i else 0, backward=backward)
        for i, (size, (lead, backward)) in enumerate(zip(sizes, leads, strict=False))
    ]
    plan = place(chain)
    assert plan.nbytes >= plan.lower_bound
    for first, second in itertools.combinations(range(len(chain)), 2):
        one, two = plan.buffers[first], plan.buffers[second]
        apart = not one.overlaps(two) or one.end <= two.offset or two.end <= one.offset
        ahead = two.offset - one.offset if two.backward else one.offset - two.offset
        assert apart or (two.over == first and ahead >= two.lead)


def test_nothing_needs_nothing() -> None:
    assert (place([]).nbytes, place([]).lower_bound) == (0, 0)


@pytest.mark.parametrize(("nbytes", "expected"), [(0, 0), (1, 8), (8, 8), (9, 16)])
def test_sizes_are_rounded_up(nbytes: int, expected: int) -> None:
    assert padded(nbytes) == expected


def test_plans_are_repeatable() -> None:
    many = [Buffer("x", 100 + 37 * i % 91, i % 5, i % 5 + i % 3) for i in range(20)]
    assert place(many) == place(many)
