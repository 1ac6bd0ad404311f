import mmap
from pathlib import Path

import pytest

from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.memory import current_rss, peak_rss, reset_peak

SIZE = 64 << 20


def test_rss_and_peak_come_from_the_status_file(tmp_path: Path, put) -> None:  # type: ignore[no-untyped-def]
    put("proc/self/status", "Name:\tpython\nVmHWM:\t   50000 kB\nVmRSS:\t   40000 kB\n")
    peak, current = peak_rss(tmp_path), current_rss(tmp_path)
    assert isinstance(peak, Measurement)
    assert isinstance(current, Measurement)
    assert (peak.value, current.value) == (50000 * 1024, 40000 * 1024)
    assert "VmHWM" in peak.method
    assert (peak.unit, peak.kind) == ("B", "measured")


def test_without_a_status_file_the_peak_is_getrusages(tmp_path: Path) -> None:
    peak = peak_rss(tmp_path, since="the load")
    assert isinstance(peak, Measurement)
    assert "getrusage" in peak.method
    assert "the load" not in peak.method
    assert peak.value > 1 << 20
    assert isinstance(current_rss(tmp_path), Unavailable)


def test_a_system_that_allows_no_reset_says_so(tmp_path: Path) -> None:
    assert reset_peak(tmp_path) is False


def test_the_peak_remembers_what_was_freed_until_it_is_reset() -> None:
    if not reset_peak():
        pytest.skip("this system does not let the peak be reset")
    before = peak_rss()
    # Pages of its own: what malloc gives a process that has freed much adds nothing to what it holds.
    with mmap.mmap(-1, SIZE) as block:
        for page in range(0, SIZE, mmap.PAGESIZE):
            block[page] = 1
    during = peak_rss(since="the reset")
    assert isinstance(before, Measurement)
    assert isinstance(during, Measurement)
    assert during.value > before.value + SIZE * 0.9
    assert "since the reset" in during.method
    assert reset_peak()
    after = peak_rss()
    assert isinstance(after, Measurement)
    assert after.value < before.value + SIZE * 0.5
