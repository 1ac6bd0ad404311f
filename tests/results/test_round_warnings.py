"""Warnings that differ in their numbers alone are one line."""

from __future__ import annotations

from edgerig.results.round_warnings import kind_of_warning, round_warnings

LATE = "This host sent requests up to {} ms late (p99), which is {} of the latency's and part of it."


def test_a_warning_of_several_rounds_is_one_line() -> None:
    warnings = [(n, LATE.format(ms, share)) for n, ms, share in ((1, 3.2, "12%"), (2, 14, "31%"), (4, 1e-5, "9%"))]
    warnings.append((2, "The device was lost."))
    assert round_warnings(warnings, 5, ", under load") == [
        "Round 1 and 2 more of 5, under load: " + LATE.format(3.2, "12%"),
        "Round 2, under load: The device was lost.",
    ]


def test_the_warnings_of_a_single_round_stand_as_they_are() -> None:
    assert round_warnings([(1, "a 1"), (1, "a 2")], 1) == ["a 1", "a 2"]


def test_warnings_of_other_words_are_not_one() -> None:
    assert kind_of_warning("3 cores") != kind_of_warning("3 threads")
