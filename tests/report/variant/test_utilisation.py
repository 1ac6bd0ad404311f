"""The device's load, memory and power over time in the report, and the energy of an inference."""

from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from tests.report.conftest import round_of

from edgerig.engine.rounds.figures import summed_up
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.utilisation import Series, Utilisation
from edgerig.report import build_report, render
from edgerig.report.load import load_bundle
from edgerig.report.variant.utilisation import utilisation_notes, utilisation_views
from edgerig.results.energy import energy_of, energy_rounds
from edgerig.results.types import CellResult
from edgerig.rig.types import Measure

HOSTILE = "<script>alert(1)</script>"
SECONDS = (0.0, 0.1, 0.2, 0.3, 0.4)


def sampled(joules: float = 2.0, **changes: Any) -> Utilisation:
    whole = Utilisation(
        seconds=SECONDS,
        series=(
            Series("CPU load of the process", "1", (None, 1.0, 1.0, 1.0, 1.0)),
            Series("memory", "B", (1e6,) * 5),
            Series("power/VDD_IN", "W", (5.0,) * 5),
        ),
        unavailable={"temperature": "no sensor tells the temperature"},
        sampling_seconds=0.004,
        cpu_seconds=0.003,
        inferences=100,
        joules={"VDD_IN": joules, "VDD_CPU": joules / 4},
    )
    return replace(whole, **changes)


@pytest.fixture
def with_rounds(make: Any) -> Any:
    """A bundle's loaded run whose first cell has a round for each utilisation."""

    def build(*entries: Any) -> Any:
        run = make.run(rows=make.DEMO[:1])
        cell = run.result.cells[0]
        times = run.samples[cell.id]["times_ns"]
        rounds = tuple(round_of(cell, times, number, utilisation=each) for number, each in enumerate(entries, 1))
        cell = summed_up(replace(cell, rounds=rounds), [times] * len(rounds), Measure(rounds=len(rounds)))
        return msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=(cell,)))

    return build


def cell_of(run: Any) -> CellResult:
    cell: CellResult = run.result.cells[0]
    return cell


def test_a_chart_for_each_unit_and_a_line_for_each_round(with_rounds: Any) -> None:
    views = utilisation_views(cell_of(with_rounds(sampled(), sampled())))
    assert [view.y.unit for view in views] == ["1", "B", "W"]
    assert [line.name for line in views[1].lines] == ["memory, round 1", "memory, round 2"]
    assert views[1].lines[0].x == SECONDS
    assert {line.group for view in views for line in view.lines} == {"CPU load of the process", "memory", "VDD_IN"}


def test_a_load_holds_over_the_time_up_to_its_sample(with_rounds: Any) -> None:
    series = (
        Series("CPU load of the process", "1", (None, 0.5, 1.0, None, 0.25)),
        Series("GPU load of card0", "1", (None, 0.5, 1.0, None, 0.25)),
    )
    (view,) = utilisation_views(cell_of(with_rounds(sampled(series=series))))
    cpu, gpu = view.lines
    assert (cpu.stepped, gpu.stepped) == (True, False)
    np.testing.assert_array_equal(cpu.y, [0.5, 1.0, np.nan, 0.25, 0.25])
    np.testing.assert_array_equal(gpu.y, [np.nan, 0.5, 1.0, np.nan, 0.25])


def test_a_sensor_that_was_silent_leaves_a_gap_and_one_that_never_told_has_no_line(with_rounds: Any) -> None:
    series = (
        Series("temperature/cpu", "°C", (40.0, None, None, 42.0, 43.0)),
        Series("temperature/dead", "°C", (None,) * 5),
        Series("power/dead", "W", (None,) * 5),
    )
    (view,) = utilisation_views(cell_of(with_rounds(sampled(series=series))))
    assert [line.name for line in view.lines] == ["cpu"]
    np.testing.assert_array_equal(view.lines[0].y, [40.0, np.nan, np.nan, 42.0, 43.0])


def test_of_many_sensors_the_highest_are_shown_and_the_others_counted(with_rounds: Any) -> None:
    series = tuple(Series(f"temperature/t{n}", "°C", (20.0 + n,) * 5) for n in range(9))
    (view,) = utilisation_views(cell_of(with_rounds(sampled(series=series))))
    assert {line.name for line in view.lines} == {"t3", "t4", "t5", "t6", "t7", "t8"}
    assert "6 highest of 9" in view.note


def test_notes_tell_the_cost_and_what_is_not_told(with_rounds: Any) -> None:
    cost, missing = utilisation_notes(cell_of(with_rounds(sampled(), sampled())))
    assert "10 samples" in cost
    assert "1.00% of the time" in cost
    assert missing == "No temperature: no sensor tells the temperature."


def test_energy_is_that_of_the_outermost_rail_by_its_inferences_with_the_interval_between_rounds(
    with_rounds: Any,
) -> None:
    energy = energy_of(cell_of(with_rounds(sampled(2.0), sampled(2.2), sampled(2.1))))
    assert isinstance(energy, Measurement)
    assert (energy.value, energy.unit, energy.n) == (pytest.approx(0.021), "J", 3)
    assert energy.low is not None
    assert energy.high is not None
    assert energy.low < 0.021 < energy.high
    assert "VDD_IN" in energy.method


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (sampled(joules=2.0, seconds=(0.0, 0.1), series=()), "too short"),
        (sampled(inferences=0), "no inference"),
        (replace(sampled(), joules={}, unavailable={"power": "no sensor tells the power"}), "no sensor tells"),
        (replace(sampled(), joules={}, unavailable={"energy/VDD_IN": "it was lost"}), "VDD_IN: it was lost"),
        (Unavailable("a board has none"), "a board has none"),
        (msgspec.UNSET, "no power meter was read"),
    ],
)
def test_without_energy_there_is_a_reason_and_no_zero(with_rounds: Any, entry: Any, reason: str) -> None:
    energy = energy_of(cell_of(with_rounds(entry)))
    assert isinstance(energy, Unavailable)
    assert reason in energy.reason


def test_a_round_without_samples_does_not_stand_for_the_others(with_rounds: Any) -> None:
    cell = cell_of(with_rounds(sampled(), Unavailable("it was lost")))
    assert "No utilisation: it was lost." in utilisation_notes(cell)
    assert isinstance(energy_of(cell), Measurement)


def test_a_round_that_stood_still_does_not_cost_the_others_their_energy(with_rounds: Any) -> None:
    paused = replace(sampled(), joules={}, unavailable={"energy/VDD_IN": "it stood still for 20.0 s in the middle"})
    cell = cell_of(with_rounds(sampled(2.0), paused, sampled(2.2)))
    energy = energy_of(cell)
    assert isinstance(energy, Measurement)
    assert (energy.value, energy.n) == (pytest.approx(0.021), 2)
    assert [number for number, _ in energy_rounds(cell)] == [1, 3]


def test_page_has_the_charts_and_the_column_and_escapes_names(with_rounds: Any, make: Any, tmp_path: Any) -> None:
    entry = sampled(series=(Series(HOSTILE, "B", (1e6,) * 5),), unavailable={HOSTILE: HOSTILE})
    saved = make.save(with_rounds(entry), tmp_path / "bundle")
    report = build_report([saved])
    page = render([load_bundle(saved)], "html")
    assert "Memory over time" in page
    assert HOSTILE not in page
    assert "20.0 mJ an inference" in report.recommendation.sentences[0]
    assert "energy" in [heading.label for heading in report.table.headings]
