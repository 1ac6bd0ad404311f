import pytest

from edgerig.measure.gpu_load import gpu_loads


@pytest.mark.parametrize(
    ("file", "text", "name", "share"),
    [
        ("sys/devices/gpu.0/load", "873", "gpu.0", 0.873),
        ("sys/devices/platform/17000000.gpu/load", "0", "17000000.gpu", 0.0),
        ("sys/devices/platform/bus@0/17000000.gpu/load", "1000\n", "17000000.gpu", 1.0),
        ("sys/class/drm/card1/device/gpu_busy_percent", "42\n", "card1", 0.42),
        ("sys/class/devfreq/fb000000.gpu/load", "55@800000000Hz\n", "fb000000.gpu", 0.55),
    ],
)
def test_load_is_a_share_whatever_the_driver_counts_in(put, tmp_path, file, text, name, share):
    put(file, text)
    assert gpu_loads(tmp_path) == {name: share}


@pytest.mark.parametrize("text", ["", "busy", "-1", "101", "4 2"])
def test_what_is_no_load_is_none(put, tmp_path, text):
    put("sys/class/drm/card0/device/gpu_busy_percent", text)
    assert gpu_loads(tmp_path) == {}


def test_one_gpu_by_two_ways_is_one(put, tmp_path):
    put("sys/devices/platform/17000000.gpu/load", "500")
    (tmp_path / "sys/devices/platform/gpu.0").symlink_to(tmp_path / "sys/devices/platform/17000000.gpu")
    assert list(gpu_loads(tmp_path).values()) == [0.5]
