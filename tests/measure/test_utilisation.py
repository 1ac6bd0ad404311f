from itertools import count

import pytest

from edgerig.measure.utilisation import FASTEST, FREQUENCY, MACHINE, MEMORY, MOST_SAMPLES, SHARE, Sampler


class Clock:
    """Seconds that a test sets; each reading within a sample costs ``cost``."""

    def __init__(self, cost=0.0):
        self.now, self.cost = 100.0, cost

    def __call__(self):
        self.now += self.cost
        return self.now


def by_name(utilisation):
    return {series.name: series for series in utilisation.series}


def test_machine_that_tells_nothing_has_reasons_and_no_zeros(tmp_path):
    utilisation = Sampler(root=tmp_path, clock=Clock()).finish(3)
    assert set(by_name(utilisation)) == {"CPU load of the process"}
    assert set(utilisation.unavailable) >= {MACHINE, "GPU load", MEMORY, FREQUENCY, "power", "temperature"}
    assert all(utilisation.unavailable.values())
    assert utilisation.joules == {}


def test_samples_follow_the_sensors_and_energy_is_the_integral_of_power(put, tmp_path):
    clock = Clock()
    put("sys/class/hwmon/hwmon0/name", "ina219")
    put("sys/class/hwmon/hwmon0/power1_input", "2000000")
    put("sys/class/hwmon/hwmon0/temp1_input", "40000")
    put("proc/self/status", "VmRSS:\t 100 kB\n")
    sampler = Sampler(10, tmp_path, clock)
    clock.now += 1.0
    put("sys/class/hwmon/hwmon0/power1_input", "4000000")
    assert sampler.tick(60)
    clock.now += 2.0
    utilisation = sampler.finish(110)
    series = by_name(utilisation)
    assert utilisation.seconds == (0.0, 1.0, 3.0)
    assert series["power/ina219 power1"].values == (2.0, 4.0, 4.0)
    assert series["temperature/ina219 temp1"].values == (40.0,) * 3
    assert series[MEMORY].values == (102400.0,) * 3
    assert utilisation.joules == {"ina219 power1": 3.0 + 8.0}
    assert utilisation.inferences == 100


def test_rapl_counter_gives_power_and_energy_over_a_wrap_around(put, tmp_path):
    clock = Clock()
    zone = "sys/class/powercap/intel-rapl:0/"
    put(zone + "name", "package-0")
    put(zone + "max_energy_range_uj", "10000000000")
    put(zone + "energy_uj", "9999000000")
    sampler = Sampler(root=tmp_path, clock=clock)
    clock.now += 2.0
    put(zone + "energy_uj", "1000000")
    utilisation = sampler.finish(4)
    assert utilisation.joules == {"package-0": pytest.approx(2.0)}
    assert by_name(utilisation)["power/package-0"].values == (None, pytest.approx(1.0))
    assert "power" not in utilisation.unavailable


@pytest.mark.parametrize(("each", "known"), [(0.1, False), (1.0, False), (5.0, True)])
def test_energy_over_a_pause_is_no_energy_of_inferences(put, tmp_path, each, known):
    """A laptop that slept draws power, and a process that was stopped has not worked; one long inference is neither."""
    clock = Clock()
    put("sys/class/hwmon/hwmon0/name", "ina219")
    put("sys/class/hwmon/hwmon0/power1_input", "2000000")
    sampler = Sampler(root=tmp_path, clock=clock)
    for number in range(20):
        clock.now += 20.0 if number == 10 else each
        sampler.tick(number)
    utilisation = sampler.finish(20)
    assert (utilisation.joules == {"ina219 power1": pytest.approx(2 * (19 * each + 20))}) == known
    if not known:
        assert utilisation.joules == {}
        assert "20.0 s in the middle" in utilisation.unavailable["energy/ina219 power1"]


def test_load_of_the_machine_is_a_share_of_all_its_cores(put, tmp_path, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr("time.process_time", count(0.0, 0.01).__next__)
    clock = Clock()
    put("proc/stat", "cpu 0 0 0 0 0 0 0 0 0 0\n")
    sampler = Sampler(root=tmp_path, clock=clock)
    clock.now += 1.0
    put("proc/stat", "cpu 200 0 0 0 0 0 0 0 0 0\n")  # 2 s of work in 1 s
    sampler.tick(1)
    clock.now += 0.004  # less than the 10 ms that the counter ticks in: no load of 0
    assert by_name(sampler.finish(1))[MACHINE].values == (None, pytest.approx(0.5), None)


def test_load_of_a_gpu_is_a_series_of_its_own(put, tmp_path):
    clock = Clock()
    put("sys/class/drm/card0/device/gpu_busy_percent", "40")
    sampler = Sampler(root=tmp_path, clock=clock)
    clock.now += 1.0
    put("sys/class/drm/card0/device/gpu_busy_percent", "80")
    utilisation = sampler.finish(1)
    assert by_name(utilisation)["GPU load of card0"].values == (0.4, 0.8)
    assert "GPU load" not in utilisation.unavailable


def test_load_of_the_machine_is_never_more_than_all_its_cores(put, tmp_path, monkeypatch):
    """The counter ticks each 10 ms: over a tenth of a second it may show 11 of them."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr("time.process_time", count(0.0, 0.01).__next__)
    clock = Clock()
    put("proc/stat", "cpu 0 0 0 0 0 0 0 0 0 0\n")
    sampler = Sampler(root=tmp_path, clock=clock)
    clock.now += 0.1
    put("proc/stat", "cpu 11 0 0 0 0 0 0 0 0 0\n")
    assert by_name(sampler.finish(1))[MACHINE].values == (None, 1.0)


def test_counter_of_the_machine_that_stands_still_is_no_load_of_0(put, tmp_path, monkeypatch):
    monkeypatch.setattr("time.process_time", count(0.0, 1.0).__next__)
    put("proc/stat", "cpu 0 0 0 0 0 0 0 0 0 0\n")
    utilisation = Sampler(root=tmp_path, clock=Clock()).finish(1)
    assert MACHINE not in by_name(utilisation)
    assert "less work than this process alone" in utilisation.unavailable[MACHINE]


def test_sampler_that_is_dear_waits_so_long_that_it_keeps_to_its_share(tmp_path):
    clock = Clock(cost=0.05)  # what a sample takes: one step from its begin to its end
    sampler = Sampler(root=tmp_path, clock=clock)
    clock.cost, samples = 0.0, 0
    for _ in range(1000):
        clock.now += 0.1
        samples += sampler.tick(0)
    assert samples == 100 // (0.05 / SHARE)
    assert sampler.finish(0).interval == pytest.approx(0.05 / SHARE)


def test_long_round_is_thinned_out_and_sampled_more_slowly(tmp_path):
    clock = Clock()
    sampler = Sampler(root=tmp_path, clock=clock)
    for _ in range(4 * MOST_SAMPLES):
        clock.now += FASTEST
        sampler.tick(0)
    clock.now += FASTEST / 2
    utilisation = sampler.finish(0)
    assert len(utilisation.seconds) <= MOST_SAMPLES
    assert utilisation.interval >= 4 * FASTEST
    assert utilisation.seconds[0] == 0.0
    assert utilisation.seconds[-1] == pytest.approx((4 * MOST_SAMPLES + 0.5) * FASTEST)


@pytest.mark.parametrize("ticks", range(MOST_SAMPLES - 3, MOST_SAMPLES + 2))
def test_last_sample_ends_the_energy_as_it_ends_the_inferences(put, tmp_path, ticks):
    """Whatever is thinned out, the window of both is the same. Every second sample alone would tell
    no power, or twice as much."""
    clock = Clock()
    power = "sys/class/hwmon/hwmon0/power1_input"
    put("sys/class/hwmon/hwmon0/name", "ina219")
    put(power, "0")
    sampler = Sampler(root=tmp_path, clock=clock)
    for number in range(1, ticks + 1):
        clock.now += 1.0
        put(power, "2000000" if number % 2 else "0")
        assert sampler.tick(number)
    clock.now += 1.0
    put(power, "2000000" if ticks % 2 == 0 else "0")
    utilisation = sampler.finish(ticks + 1)
    assert utilisation.seconds[-1] == pytest.approx(ticks + 1)
    assert utilisation.inferences == ticks + 1
    assert utilisation.joules == {"ina219 power1": pytest.approx(ticks + 1)}


def test_sensor_that_vanishes_in_the_middle_leaves_a_gap_and_no_energy(put, tmp_path):
    clock = Clock()
    put("sys/class/hwmon/hwmon0/name", "ina219")
    put("sys/class/hwmon/hwmon0/power1_input", "2000000")
    sampler = Sampler(root=tmp_path, clock=clock)
    clock.now += 1.0
    (tmp_path / "sys/class/hwmon/hwmon0/power1_input").unlink()
    sampler.tick(1)
    clock.now += 1.0
    put("sys/class/hwmon/hwmon0/power1_input", "2000000")
    utilisation = sampler.finish(2)
    assert by_name(utilisation)["power/ina219 power1"].values == (2.0, None, 2.0)
    assert utilisation.joules == {}
    assert "did not answer" in utilisation.unavailable["energy/ina219 power1"]


def test_power_of_a_graphics_card_is_shown_and_is_no_energy_of_an_inference(put, tmp_path):
    clock = Clock()
    put("sys/class/hwmon/hwmon0/name", "amdgpu")
    put("sys/class/hwmon/hwmon0/power1_average", "30000000")
    sampler = Sampler(root=tmp_path, clock=clock)
    clock.now += 1.0
    utilisation = sampler.finish(2)
    assert by_name(utilisation)["power/amdgpu power1"].values == (30.0, 30.0)
    assert utilisation.joules == {}
