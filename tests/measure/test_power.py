import subprocess

import pytest

from edgerig.measure import power
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.power import (
    Counter,
    energy_counters,
    joules_between,
    kernel_sensors,
    of_graphics,
    parse_nvidia_smi,
    sensors,
)


def watts(found):
    return {key.removeprefix("power/"): round(q.value, 6) for key, q in found.items() if key.startswith("power/")}


def test_machine_without_sensors_says_so_and_tells_no_number(tmp_path):
    found = sensors(tmp_path)
    assert set(found) == {"power", "temperature"}
    assert all(isinstance(quantity, Unavailable) and quantity.reason for quantity in found.values())


def test_jetson_with_ina3221_by_hwmon_tells_voltage_times_current_of_each_rail(put, tmp_path):
    put("sys/class/hwmon/hwmon3/name", "ina3221\n")
    for number, (rail, millivolt, milliampere) in enumerate(
        [("VDD_IN", 5000, 1200), ("VDD_CPU_GPU_CV", 5000, 300), ("VDD_SOC", 5000, 0)], 1
    ):
        put(f"sys/class/hwmon/hwmon3/in{number}_label", rail + "\n")
        put(f"sys/class/hwmon/hwmon3/in{number}_input", f"{millivolt}\n")
        put(f"sys/class/hwmon/hwmon3/curr{number}_input", f"{milliampere}\n")
    put("sys/class/hwmon/hwmon3/in7_label", "sum of shunt voltages\n")
    put("sys/class/hwmon/hwmon3/in7_input", "12\n")
    found = sensors(tmp_path)
    # A rail that draws nothing is measured, and 0; that is not the same as no sensor.
    assert watts(found) == {"VDD_IN": 6.0, "VDD_CPU_GPU_CV": 1.5, "VDD_SOC": 0.0}
    assert found["power/VDD_IN"].unit == "W"
    assert "ina3221" in found["power/VDD_IN"].method
    assert isinstance(found["temperature"], Unavailable)


def test_channel_that_is_not_wired_is_left_out(put, tmp_path):
    put("sys/class/hwmon/hwmon0/name", "ina3221")
    put("sys/class/hwmon/hwmon0/in1_input", "0")
    put("sys/class/hwmon/hwmon0/curr1_input", "4")
    assert isinstance(sensors(tmp_path)["power"], Unavailable)


def test_older_jetson_tells_rails_by_iio_in_milliwatts(put, tmp_path):
    folder = "sys/bus/i2c/drivers/ina3221x/1-0040/iio:device0/"
    put(folder + "name", "ina3221x")
    put(folder + "rail_name_0", "POM_5V_IN\n")
    put(folder + "in_power0_input", "2034\n")
    put(folder + "rail_name_1", "POM_5V_GPU\n")
    put(folder + "in_power1_input", "81\n")
    assert watts(sensors(tmp_path)) == {"POM_5V_IN": 2.034, "POM_5V_GPU": 0.081}


def test_iio_with_raw_value_and_scale(put, tmp_path):
    put("sys/bus/iio/devices/iio:device1/name", "ina226")
    put("sys/bus/iio/devices/iio:device1/in_power2_raw", "100")
    put("sys/bus/iio/devices/iio:device1/in_power2_scale", "12.5")
    put("sys/bus/iio/devices/iio:device1/in_power3_raw", "100")
    assert watts(sensors(tmp_path)) == {"ina226 power2": 1.25}


def test_hwmon_power_in_microwatts_input_before_average(put, tmp_path):
    put("sys/class/hwmon/hwmon0/name", "ina219")
    put("sys/class/hwmon/hwmon0/power1_input", "3500000")
    put("sys/class/hwmon/hwmon0/power1_average", "1")
    put("sys/class/hwmon/hwmon0/in1_input", "5000")
    put("sys/class/hwmon/hwmon0/curr1_input", "999")
    put("sys/class/hwmon/hwmon1/name", "amdgpu")
    put("sys/class/hwmon/hwmon1/power1_average", "21000000")
    put("sys/class/hwmon/hwmon1/power1_label", "PPT")
    assert watts(sensors(tmp_path)) == {"ina219 power1": 3.5, "PPT": 21.0}


def test_two_sensors_of_one_name_are_both_told(put, tmp_path):
    for index, value in enumerate((1, 2)):
        put(f"sys/class/hwmon/hwmon{index}/name", "ina219")
        put(f"sys/class/hwmon/hwmon{index}/power1_input", f"{value}000000")
    assert watts(sensors(tmp_path)) == {"ina219 power1": 1.0, "ina219 power1 (2)": 2.0}


@pytest.mark.parametrize("text", ["", "garbage", "-", "0x"])
def test_sensor_that_tells_garbage_is_no_sensor(put, tmp_path, text):
    put("sys/class/hwmon/hwmon0/name", "ina219")
    put("sys/class/hwmon/hwmon0/power1_input", text)
    put("sys/class/thermal/thermal_zone0/temp", text)
    found = sensors(tmp_path)
    assert isinstance(found["power"], Unavailable)
    assert isinstance(found["temperature"], Unavailable)


def test_temperatures_have_the_names_of_their_zones_and_implausible_ones_are_left_out(raspberry_pi, put, tmp_path):
    put("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
    found = sensors(tmp_path)
    temperatures = {key: q.value for key, q in found.items() if key.startswith("temperature/")}
    assert temperatures == {"temperature/cpu-thermal": pytest.approx(61.342)}
    assert found["temperature/cpu-thermal"].unit == "°C"


def rapl(put, package, core, wrap="262143328850"):
    put("sys/class/powercap/intel-rapl:0/name", "package-0")
    put("sys/class/powercap/intel-rapl:0/energy_uj", package)
    put("sys/class/powercap/intel-rapl:0/max_energy_range_uj", wrap)
    put("sys/class/powercap/intel-rapl:0:0/name", "core")
    put("sys/class/powercap/intel-rapl:0:0/energy_uj", core)
    put("sys/class/powercap/intel-rapl:0:0/max_energy_range_uj", wrap)


def test_rapl_counts_joules_and_is_no_power(put, tmp_path):
    rapl(put, "5000000", "2500000")
    found = sensors(tmp_path)
    assert found["energy/package-0"].value == 5.0
    assert found["energy/package-0/core"].unit == "J"
    assert isinstance(found["power"], Unavailable)


def test_energy_between_two_moments_survives_the_counters_new_beginning(put, tmp_path):
    rapl(put, "9000000", "1000000", wrap="10000000")
    before = energy_counters(tmp_path)
    rapl(put, "2000000", "4000000", wrap="10000000")
    after = energy_counters(tmp_path)
    assert joules_between(before["package-0"], after["package-0"]) == pytest.approx(3.0)
    assert joules_between(before["package-0/core"], after["package-0/core"]) == pytest.approx(3.0)


def test_counter_that_goes_backwards_without_saying_why_is_unavailable():
    assert isinstance(joules_between(Counter(5.0, None), Counter(4.0, None)), Unavailable)
    assert joules_between(Counter(4.0, None), Counter(5.0, None)) == 1.0


def test_power_of_a_graphics_card_is_told_apart(put, tmp_path):
    put("sys/class/hwmon/hwmon0/name", "amdgpu")
    put("sys/class/hwmon/hwmon0/power1_average", "30000000")
    put("sys/class/hwmon/hwmon0/power1_label", "PPT")
    put("sys/class/hwmon/hwmon1/name", "ina219")
    put("sys/class/hwmon/hwmon1/power1_input", "5000000")
    known = kernel_sensors(tmp_path)
    assert {name: of_graphics(quantity) for name, quantity in known.items() if name.startswith("power/")} == {
        "power/PPT": True,
        "power/ina219 power1": False,
    }


def test_rapl_that_only_root_may_read_says_so(put, tmp_path, monkeypatch):
    rapl(put, "1", "1")
    real = power.read_int
    monkeypatch.setattr(power, "read_int", lambda path: None if path.name == "energy_uj" else real(path))
    found = sensors(tmp_path)
    assert "root" in found["energy/package-0"].reason


def test_nvidia_smi_is_read_and_what_it_does_not_know_is_unavailable():
    found = parse_nvidia_smi("0, NVIDIA H200, 123.45, 41\n1, Orin (nvgpu), [N/A], 50\nNo devices were found\n")
    assert found["power/GPU 0 NVIDIA H200"] == Measurement(value=123.45, unit="W", kind="measured", method="nvidia-smi")
    assert found["temperature/GPU 0 NVIDIA H200"].value == 41
    assert isinstance(found["power/GPU 1 Orin (nvgpu)"], Unavailable)
    assert len(found) == 4
    assert parse_nvidia_smi("") == {}


@pytest.mark.parametrize("error", [OSError("gone"), subprocess.TimeoutExpired("nvidia-smi", 5)])
def test_nvidia_smi_that_fails_or_hangs_is_no_sensor(monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert power._ask("nvidia-smi") == ""


def test_this_machine_is_asked_without_an_exception():
    assert sensors()
