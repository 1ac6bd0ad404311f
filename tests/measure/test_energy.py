import pytest

from edgerig.measure.energy import MOST_WATTS, EnergyMeter, energy_per_inference, rails_of
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.power import Counter


def meter_of(*readings):
    """A meter after ``readings``: seconds, counters, watts."""
    meter = EnergyMeter()
    for reading in readings:
        meter.read(*reading)
    return meter


def test_energy_is_that_of_all_packages_through_a_wrap_around():
    meter = meter_of(
        (
            0.0,
            {"package-0": Counter(90.0, 100.0), "package-1": Counter(5.0, 100.0), "package-0/core": Counter(0, 1)},
            {},
        ),
        (
            0.05,
            {"package-0": Counter(10.0, 100.0), "package-1": Counter(15.0, 100.0), "package-0/core": Counter(9, None)},
            {},
        ),
    )
    rails = rails_of(meter.joules, meter.lost)
    assert rails == {"package-0/core": 9.0, "package-0 + package-1": 30.0}
    energy = energy_per_inference([(rails, 10)], "none")
    assert isinstance(energy, Measurement)
    assert (energy.value, energy.unit, energy.kind, energy.n) == (3.0, "J", "measured", 1)
    assert "package-0 + package-1" in energy.method


def test_counter_that_wraps_at_each_reading_is_added_up():
    readings = [(0.001 * n, {"package-0": Counter(7.0 * n % 10.0, 10.0)}, {}) for n in range(11)]
    assert meter_of(*readings).joules == {"package-0": pytest.approx(70.0)}


def test_counter_that_may_have_wrapped_twice_tells_nothing():
    span = 100.0 / MOST_WATTS
    near = meter_of((0.0, {"package-0": Counter(1.0, 100.0)}, {}), (span, {"package-0": Counter(2.0, 100.0)}, {}))
    assert near.joules == {"package-0": 1.0}
    far = meter_of((0.0, {"package-0": Counter(1.0, 100.0)}, {}), (2 * span, {"package-0": Counter(2.0, 100.0)}, {}))
    assert far.joules == {}
    assert "more than once" in far.lost["package-0"]


@pytest.mark.parametrize("back", [True, False], ids=["comes back", "stays away"])
def test_sensor_that_vanishes_in_the_middle_has_no_energy_and_says_so(back):
    both = {"package-0": Counter(1.0, None)}, {"VDD_IN": 5.0, "VDD_CPU": 1.0}
    last = both if back else ({}, {"VDD_CPU": 1.0})
    meter = meter_of((0.0, *both), (1.0, {}, {"VDD_CPU": 1.0}), (2.0, *last))
    assert meter.joules == {"VDD_CPU": 2.0}
    assert set(meter.lost) == {"package-0", "VDD_IN"}
    assert "did not answer" in meter.lost["VDD_IN"]


def test_sensor_that_appears_in_the_middle_has_no_energy_of_the_whole():
    assert meter_of((0.0, {}, {}), (1.0, {}, {"VDD_IN": 5.0}), (2.0, {}, {"VDD_IN": 5.0})).joules == {}


def test_one_package_of_two_does_not_stand_for_both():
    assert rails_of({"package-0": 2.0, "VDD": 1.0}, {"package-1": "lost"}) == {"VDD": 1.0}


def test_energy_is_of_the_rail_with_the_most_that_all_rounds_have():
    rounds = [({"a": 9.0, "b": 2.0}, 10), ({"b": 2.2, "c": 1.0}, 10), ({"b": 2.1, "c": 1.0}, 10)]
    energy = energy_per_inference(rounds, "none")
    assert isinstance(energy, Measurement)
    assert energy.value == pytest.approx(0.21)
    assert energy.low < 0.2 < 0.22 < energy.high
    assert "energy of b" in energy.method


@pytest.mark.parametrize(
    ("rounds", "reason"),
    [
        ([], "no inference"),
        ([({"a": 1.0}, 10), ({"a": 1.0}, 0)], "no inference"),
        ([({"a": 1.0}, 10), ({"b": 1.0}, 10)], "nothing there"),
        ([({}, 10)], "nothing there"),
    ],
)
def test_without_energy_there_is_a_reason_and_no_zero(rounds, reason):
    energy = energy_per_inference(rounds, "nothing there")
    assert isinstance(energy, Unavailable)
    assert reason in energy.reason
