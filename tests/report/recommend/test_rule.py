from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.measure.intervals import t_interval
from edgerig.report.recommend.candidates import TOLERANCE, Candidate, choose, is_faster, pareto, with_common_energy
from edgerig.report.recommend.rule import recommend


def candidate(label: str, quality: float | None, latency: float | None, size: int = 100_000, **more: Any) -> Candidate:
    """Latency in µs with an interval of 1 %, quality with one of half a point."""
    bounds: dict[str, Any] = {}
    if quality is not None:
        bounds |= {"quality_low": max(0, quality - 0.005), "quality_high": min(1, quality + 0.005)}
    if latency is not None:
        latency *= 1e-6
        bounds |= {"latency_low": latency * 0.99, "latency_high": latency * 1.01}
    fields = {"key": label, "label": label, "size": size, "quality": quality, "latency": latency, "samples": 2000}
    return Candidate(**(fields | bounds | more))


def test_the_fastest_within_a_point_wins() -> None:
    made = recommend([candidate("float32", 0.985, 200, 375_000), candidate("int8", 0.980, 95, 101_000)])
    assert made.chosen == ("int8",)
    assert made.sentences == (
        "int8 is the fastest of the 2 variants within 1 point of the best accuracy: 98.00 % accuracy, "
        "95.0 µs median latency, 101 kB; 2.1 times as fast and 3.7 times smaller than float32 (98.50 %), "
        "with errors 1.3 times as many.",
    )
    assert made.firm
    assert any("gives up 0.50 points" in reason and "intervals overlap" in reason for reason in made.reasons)


def test_a_faster_variant_that_costs_more_than_a_point_is_not_taken() -> None:
    made = recommend([candidate("float32", 0.985, 200), candidate("int4", 0.93, 50)])
    assert made.chosen == ("float32",)
    assert "only variant within 1 point" in made.sentences[0]
    assert "int4 is faster, but reaches only 93.00 %" in made.sentences[0]


def test_exactly_one_point_is_still_within() -> None:
    assert recommend([candidate("a", 0.99, 200), candidate("b", 0.98, 50)]).chosen == ("b",)


def test_the_best_that_is_also_the_fastest_is_said_to_be_both() -> None:
    made = recommend([candidate("a", 0.99, 50), candidate("b", 0.985, 80)])
    assert made.chosen == ("a",)
    assert "both the most accurate and the fastest" in made.sentences[0]
    assert "times" not in made.sentences[0]


def test_equally_good_variants_are_not_outdone() -> None:
    made = recommend([candidate("a", 0.98, 50), candidate("b", 0.98, 80)])
    assert "a is both as accurate as any and the fastest of the 2 variants" in made.sentences[0]


def test_speed_that_cannot_be_told_apart_leaves_it_to_size() -> None:
    made = recommend([candidate("big", 0.985, 100.0, 400_000), candidate("small", 0.983, 100.5, 100_000)])
    assert made.chosen == ("small",)
    assert "smallest of the 2 variants that are about equally fast" in made.sentences[0]
    assert "times as fast" not in made.sentences[0]
    assert "4.0 times smaller than big" in made.sentences[0]


def test_the_best_that_ties_in_speed_and_is_smallest() -> None:
    made = recommend([candidate("best", 0.985, 100.5, 100_000), candidate("other", 0.984, 100.0, 300_000)])
    assert made.chosen == ("best",)
    assert "the most accurate and the smallest of the 2 variants" in made.sentences[0]


def test_a_smaller_but_slower_variant_is_pointed_out() -> None:
    made = recommend([candidate("fast", 0.985, 50, 300_000), candidate("tiny", 0.984, 500, 20_000)])
    assert made.chosen == ("fast",)
    assert any("If size matters more: tiny" in reason for reason in made.reasons)


def test_few_samples_make_it_provisional() -> None:
    few = {"samples": 100, "quality_low": 0.94, "quality_high": 0.999}
    made = recommend([candidate("a", 0.98, 100, **few), candidate("b", 0.98, 50, **few)])
    assert made.chosen == ("b",)
    assert not made.firm
    assert any("with 100 samples" in reason and "may be chance" in reason for reason in made.reasons)


def test_warnings_on_the_choice_make_it_provisional() -> None:
    made = recommend([candidate("a", 0.98, 100), candidate("b", 0.98, 50, warnings=2)])
    assert not made.firm
    assert any("carry 2 warnings" in reason for reason in made.reasons)
    assert recommend([candidate("a", 0.98, 100, warnings=2), candidate("b", 0.98, 50)]).firm


def test_nothing_is_recommended_among_guessers() -> None:
    why = "its accuracy is no better than guessing"
    made = recommend([candidate("a", 0.15, 100, void=why), candidate("b", 0.15, 50, void=why)])
    assert made.chosen == ()
    assert "nothing can be recommended" in made.sentences[0].lower()
    assert why in made.sentences[0]


def test_a_broken_variant_beside_good_ones_is_left_out_by_name() -> None:
    broken = candidate("broken", 0.1, 50, void="it answers '3' for every sample")
    made = recommend([candidate("good", 0.98, 100), candidate("fine", 0.98, 120), broken])
    assert made.chosen == ("good",)
    assert "Left out, because it answers '3' for every sample: broken." in made.reasons
    alone = recommend([candidate("good", 0.98, 100), broken])
    assert alone.chosen == ()
    assert "only good has a quality that says something" in alone.sentences[0].lower()


def test_one_variant_is_no_choice() -> None:
    made = recommend([candidate("only-one", 0.98, 100)])
    assert made.chosen == ()
    assert made.sentences[0].startswith("Only only-one was measured, so there is nothing to compare it with")


def test_nothing_measured_recommends_nothing() -> None:
    made = recommend([])
    assert (made.chosen, made.firm) == ((), False)
    assert "Nothing was measured" in made.sentences[0]


def test_without_quality_the_fastest_is_named_but_not_recommended() -> None:
    made = recommend([candidate("slow", None, 100), candidate("quick", None, 50)])
    assert made.chosen == ()
    assert "because quality was not measured; the fastest is quick" in made.sentences[0]


def test_without_latency_there_is_no_recommendation() -> None:
    made = recommend([candidate("a", 0.98, None), candidate("b", 0.97, None)])
    assert made.chosen == ()
    assert "because latency was not measured" in made.sentences[0]


def test_incomplete_variants_are_named_as_left_out() -> None:
    made = recommend([candidate("a", 0.98, 100), candidate("b", 0.98, 50), candidate("c", 0.99, None)])
    assert made.chosen == ("b",)
    assert any("Left out" in reason and "c" in reason for reason in made.reasons)
    made = recommend([candidate("a", 0.98, 100), candidate("c", 0.99, None)])
    assert "Only a has both quality and latency" in made.sentences[0]


def test_kinds_and_devices_are_never_compared() -> None:
    measured = [candidate(name, 0.98, t, group=("pi", "measured"), place="pi") for name, t in (("a", 90), ("b", 40))]
    emulated = [
        candidate(name, 0.98, t, group=("f746", "emulated"), place="f746 (emulated)", kind="emulated")
        for name, t in (("c", 9), ("d", 4))
    ]
    made = recommend([*measured, *emulated])
    assert made.chosen == ("b", "d")
    assert len(made.sentences) == 2
    assert made.sentences[0].startswith("On pi, b is")
    assert made.sentences[1].startswith("On f746 (emulated), d is")
    assert "(emulated) median latency" in made.sentences[1]
    assert "(emulated)" not in made.sentences[0]
    assert "are not compared" in made.reasons[0]


def test_reasons_say_of_which_device_they_are() -> None:
    alike = {"samples": 20, "quality_low": 0.7, "quality_high": 0.99, "shared": True}
    groups = [
        candidate(f"{name}-{place}", 0.9, t, group=(place,), place=place, **alike)
        for place in ("pi", "board")
        for name, t in (("a", 90), ("b", 40))
    ]
    reasons = recommend(groups).reasons
    for place in ("pi", "board"):
        assert sum(reason.startswith(f"{place}: Qualities are those of the 20 samples") for reason in reasons) == 1
    (alone,) = [r for r in recommend(groups[:2]).reasons if "Qualities" in r]
    assert alone.startswith("Qualities are")


def test_a_lone_device_beside_a_decided_one_goes_to_the_reasons() -> None:
    group = [candidate(name, 0.98, t, group=("pi",), place="pi") for name, t in (("a", 90), ("b", 40))]
    made = recommend([*group, candidate("x", 0.98, 5, group=("board",), place="board")])
    assert (len(made.sentences), made.firm) == (1, True)
    assert any(reason.startswith("On board, only x was measured") for reason in made.reasons)


def test_lower_is_better_is_respected_and_margins_are_relative() -> None:
    lower = {"metric": "mean error", "metric_unit": "px", "higher_is_better": False}
    bounds = {"quality_low": None, "quality_high": None}
    made = recommend(
        [
            candidate("exact", 4.00, 100, **lower, **bounds),
            candidate("quick", 4.03, 50, **lower, **bounds),
            candidate("crude", 9.0, 10, **lower, **bounds),
        ]
    )
    assert made.chosen == ("quick",)
    assert "within 1 % of the best mean error" in made.sentences[0]


def test_an_unfinished_run_says_so_and_is_not_firm() -> None:
    made = recommend([candidate("a", 0.98, 100), candidate("b", 0.98, 50)], finished=False)
    assert not made.firm
    assert "not finished" in made.reasons[0]


def test_numbers_that_are_not_finite_are_no_numbers() -> None:
    made = recommend([candidate("a", 0.98, 100), candidate("b", 0.98, 50), candidate("nan", float("nan"), 1)])
    assert made.chosen == ("b",)


BARE = {"quality_low": None, "quality_high": None, "latency_low": None, "latency_high": None}


def test_without_intervals_the_choice_still_follows_the_numbers() -> None:
    made = recommend([candidate("a", 0.98, 100, **BARE), candidate("b", 0.98, 89, **BARE)])
    assert (made.chosen, made.firm) == (("b",), False)
    assert any("one process; several rounds (--rounds 5) would decide it" in reason for reason in made.reasons)


def test_single_processes_that_differ_by_what_one_file_does_are_a_tie() -> None:
    made = recommend([candidate("a", 0.98, 100, **BARE), candidate("b", 0.98, 99, **BARE)])
    assert made.chosen == ("b", "a")
    assert "It is a tie with a: neither quality, speed, size nor memory tells them apart." in made.sentences[0]


def in_rounds(label: str, *medians: float, quality: float = 0.98, size: int = 100_000, **more: Any) -> Candidate:
    """A candidate with latencies of its rounds in us, measured in turns with the others."""
    result = t_interval([median * 1e-6 for median in medians])
    bounds = {"latency_low": result.low, "latency_high": result.high}
    rounds = tuple(median * 1e-6 for median in medians)
    starts = tuple(f"2026-01-01T10:{number:02}:00" for number in range(len(medians)))
    mean = sum(medians) / len(medians)
    return candidate(
        label, quality, mean, size, **{"medians": rounds, "run": "run", "starts": starts, **bounds, **more}
    )


def test_one_file_on_one_machine_is_a_tie_by_whatever_way_it_is_reached() -> None:
    """The agent on this machine was recommended before `local`, by 0.4 us of 95."""
    local = in_rounds("int8 · local", 95.1, 96.3, 94.8, 97.0, 95.5)
    agent = in_rounds("int8 · tcp", 95.9, 94.5, 96.0, 95.2, 94.9)
    made = recommend([local, agent, in_rounds("float32", 200, 201, 199, 203, 202, size=400_000)])
    assert set(made.chosen) == {"int8 · local", "int8 · tcp"}
    assert "It is a tie with int8 · local" in made.sentences[0]
    assert any("Speed does not tell int8 · tcp from int8 · local" in reason for reason in made.reasons)


def test_rounds_that_took_turns_are_told_apart_pair_by_pair() -> None:
    """Both slow down by a third from round to round, one always 5 % behind: their intervals overlap, the ratios not."""
    fast = in_rounds("fast", 100, 110, 120, 130, 140, size=200_000)
    slow = in_rounds("slow", 105.2, 115.3, 126.1, 136.4, 147.1, size=100_000)
    assert is_faster(fast, slow)
    assert recommend([fast, slow]).chosen == ("fast",)
    anew = tuple(start.replace("01-01", "01-02") for start in slow.starts)
    for apart in (msgspec.structs.replace(slow, run="another run"), msgspec.structs.replace(slow, starts=anew)):
        assert not is_faster(fast, apart)
        assert recommend([fast, apart]).chosen == ("slow",)


def test_a_difference_that_does_not_matter_is_none_however_well_it_is_known() -> None:
    """1 %, known to a tenth of that."""
    fast = in_rounds("fast", 100.0, 100.1, 99.9, 100.0, 100.1, size=200_000)
    small = in_rounds("small", 101.0, 101.1, 100.9, 101.0, 101.1)
    assert not is_faster(fast, small)
    assert recommend([fast, small]).chosen == ("small",)


def test_a_tie_is_broken_by_size_then_by_memory() -> None:
    times = (95.0, 96.0, 94.0, 95.5, 94.5)
    heavy = in_rounds("heavy", *times, memory=90e6, memory_name="peak_rss")
    light = in_rounds("light", *times, memory=60e6, memory_name="peak_rss")
    large = in_rounds("large", *times, size=300_000, memory=50e6, memory_name="peak_rss")
    made = recommend([heavy, light, large])
    assert made.chosen == ("light",)
    assert "the one that needs least memory among the smallest of the 3 variants" in made.sentences[0]
    other = msgspec.structs.replace(light, memory=1000.0, memory_name="arena")
    assert set(recommend([heavy, other]).chosen) == {"heavy", "light"}


def test_who_needs_less_memory_is_on_the_front() -> None:
    fast = in_rounds("fast", 50, 51, 50, 51, 50, memory=90e6, memory_name="peak_rss")
    lean = in_rounds("lean", 80, 81, 80, 81, 80, memory=60e6, memory_name="peak_rss")
    slow = in_rounds("slow", 80, 81, 80, 81, 80, memory=91e6, memory_name="peak_rss")
    assert [one.label for one in pareto([fast, lean, slow])] == ["fast", "lean"]


def test_what_would_decide_it_is_said_where_nothing_can_be_recommended() -> None:
    no_quality = recommend([candidate("slow", None, 100), candidate("quick", None, 50)])
    assert "A dataset with labels (--dataset" in no_quality.sentences[0]
    no_latency = recommend([candidate("a", 0.98, None), candidate("b", 0.97, None)])
    assert "A device that tells times would decide it." in no_latency.sentences[0]
    guesses = recommend([candidate("a", 0.1, 100, void="it guesses"), candidate("b", 0.1, 50, void="it guesses")])
    assert "more samples of it, would decide it" in guesses.sentences[0]


candidates = st.lists(
    st.builds(
        lambda quality, latency, size, wide: candidate("x", quality, latency * (1 + wide), size),
        st.sampled_from([0.9, 0.95, 0.97, 0.98, 0.985, 0.99]),
        st.sampled_from([10.0, 20.0, 20.2, 50.0, 51.0]),
        st.sampled_from([10, 20, 30]),
        st.sampled_from([0.0, 0.005]),
    ),
    min_size=2,
    max_size=8,
).map(lambda made: [msgspec.structs.replace(one, key=str(n), label=str(n)) for n, one in enumerate(made)])


@settings(max_examples=200, deadline=None)
@given(candidates)
def test_the_choice_is_near_the_best_beaten_by_none_and_the_order_does_not_matter(group: list[Candidate]) -> None:
    chosen, best, near, tied = choose(group)
    assert chosen in pareto(group)
    assert chosen.merit >= best.merit - TOLERANCE - 1e-9
    assert set(tied) <= set(near)
    assert all(one.merit <= best.merit for one in group)
    again = choose(list(reversed(group)))[0]
    assert (again.quality, again.latency, again.size) == (chosen.quality, chosen.latency, chosen.size)
    made = recommend(group)
    assert set(made.chosen) <= set(made.fronts[0])


def powered(label: str, latency: float, joules: float | None, *, rail: str = "VDD_IN", **more: Any) -> Candidate:
    """A candidate of equal quality and size that takes ``joules`` an inference, known to 3 %."""
    bounds = {"energy_low": joules * 0.97, "energy_high": joules * 1.03} if joules is not None else {}
    return candidate(label, 0.98, latency, energy=joules, rail=rail, **(bounds | more))


def test_who_takes_less_energy_is_on_the_front_though_it_is_slower() -> None:
    group = [powered("fast", 50, 2e-3), powered("thrifty", 80, 1e-3), powered("neither", 90, 1.5e-3)]
    made = recommend(group)
    assert made.fronts == (("fast", "thrifty"),)
    assert made.chosen == ("fast",)
    assert "2.00 mJ an inference" in made.sentences[0]
    assert "If energy matters more: thrifty takes 1.00 mJ an inference at 80.0 µs." in made.reasons


def test_energy_breaks_a_tie_of_all_else() -> None:
    made = recommend([powered("a", 100, 2e-3), powered("b", 100, 1e-3)])
    assert (made.chosen, made.fronts) == (("b",), (("b",),))
    tie = recommend([powered("a", 100, 2e-3), powered("b", 100, 2e-3)])
    assert set(tie.chosen) == {"a", "b"}
    assert "neither quality, speed, size, energy nor memory" in tie.sentences[0]


def test_energy_within_the_interval_or_two_percent_is_no_difference() -> None:
    assert recommend([powered("fast", 50, 2e-3), powered("slow", 80, 1.95e-3)]).fronts == (("fast",),)
    close = {"energy_low": 1.0e-3, "energy_high": 1.0e-3}
    near = {"energy_low": 1.01e-3, "energy_high": 1.01e-3}
    group = [powered("fast", 50, 1.01e-3, **near), powered("slow", 80, 1.0e-3, **close)]
    assert recommend(group).fronts == (("fast",),)


def test_energies_of_one_round_must_differ_by_a_tenth() -> None:
    none = {"energy_low": None, "energy_high": None}
    for joules, front in ((1.85e-3, ("fast",)), (1.8e-3, ("fast", "slow"))):
        group = [powered("fast", 50, 2e-3, **none), powered("slow", 80, joules, **none)]
        assert recommend(group).fronts == (front,)


def test_energy_counts_only_where_all_of_a_device_have_it_by_one_rail() -> None:
    group = [powered("fast", 50, 2e-3), powered("thrifty", 80, 1e-3), powered("dark", 60, None, rail="")]
    made = recommend(group)
    assert made.fronts == (("fast",),)
    assert "Energy does not count here: dark has none." in made.reasons
    assert "mJ" not in made.sentences[0]
    group = [powered("fast", 50, 2e-3), powered("thrifty", 80, 1e-3, rail="VDD_CPU")]
    made = recommend(group)
    assert made.fronts == (("fast",),)
    assert "Energy does not count here: it was not measured by one rail for all." in made.reasons


def test_energy_of_another_device_is_neither_needed_nor_compared() -> None:
    here = [powered("fast", 50, 2e-3, group=("here",)), powered("thrifty", 80, 1e-3, group=("here",))]
    there = [powered("other", 500, 1e-9, group=("there",)), powered("dark", 600, None, rail="", group=("there",))]
    made = recommend([*here, *there])
    assert made.fronts == (("fast", "thrifty"), ("other",))


def test_energy_beside_a_latency_that_was_not_measured_does_not_count() -> None:
    group = [powered("a", 50, 2e-3, kind="modelled"), powered("b", 80, 1e-3, kind="modelled")]
    assert all(one.energy is None for one in with_common_energy(group))


def test_variants_left_out_for_their_quality_need_no_energy() -> None:
    guesser = powered("guess", 10, None, rail="", void="it is no better than guessing")
    made = recommend([powered("fast", 50, 2e-3), powered("thrifty", 80, 1e-3), guesser])
    assert made.fronts == (("fast", "thrifty"),)


@settings(max_examples=200, deadline=None)
@given(candidates, st.lists(st.sampled_from([1e-3, 1.02e-3, 2e-3]), min_size=8, max_size=8))
def test_with_energy_the_choice_is_beaten_by_none_and_the_order_does_not_matter(
    group: list[Candidate], joules: list[float]
) -> None:
    fields = [{"energy": j, "energy_low": j * 0.999, "energy_high": j * 1.001, "rail": "r"} for j in joules]
    group = [msgspec.structs.replace(one, **more) for one, more in zip(group, fields, strict=False)]
    chosen, *_ = choose(group)
    assert chosen in pareto(group)
    made, again = recommend(group), recommend(list(reversed(group)))
    assert set(made.chosen) <= set(made.fronts[0])
    assert set(made.fronts[0]) == set(again.fronts[0])


def test_what_a_variant_loses_is_told_sample_by_sample_where_that_is_known() -> None:
    def compare(one: Candidate, other: Candidate) -> str | None:
        return f"{one.label} to {other.label}" if one.label != "bad" else None

    members = [candidate("best", 0.985, 200), candidate("fast", 0.98, 50), candidate("far", 0.93, 40)]
    made = recommend([*members, candidate("bad", 0.9, 10)], compare=compare)
    assert made.chosen == ("fast",)
    assert "fast gives up 0.50 points of accuracy to best; fast to best." in made.reasons
    assert "far against fast: far to fast." in made.reasons
    assert not any("bad against" in reason for reason in made.reasons)
