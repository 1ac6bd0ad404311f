"""Raw times made small enough to draw."""

import subprocess
import sys

import numpy as np
import pytest

from edgerig.report.variant.timing import times_of

MANY = """
import numpy as np
from edgerig.measure.memory import peak_rss
from edgerig.report.variant.timing import times_of
times = np.random.default_rng(0).integers(90_000, 110_000, 4_000_000)
before = peak_rss().value
times_of(times, 2000)
print((peak_rss().value - before) / times.nbytes)
"""


@pytest.mark.slow
def test_millions_of_times_are_copied_once() -> None:
    """Not made a list of Python's numbers, each of which takes four times as much."""
    done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) < 2


def test_the_figures_are_those_of_numpy_and_every_sample_is_counted() -> None:
    times_ns = np.random.default_rng(1).gamma(2.0, 5e4, 5000).astype(np.int64)
    times_ns[77] = 10**9  # an outlier
    times = times_of(times_ns, 100)
    assert times is not None
    seconds = times_ns * 1e-9
    np.testing.assert_allclose(times.ecdf, np.quantile(seconds, np.linspace(0, 1, len(times.ecdf))), rtol=1e-12)
    counts, _ = np.histogram(seconds, bins=np.array(times.histogram.edges))
    assert times.histogram.counts == tuple(counts)
    assert sum(times.histogram.counts) + times.histogram.above + times.histogram.below == 5000
    assert times.histogram.edges[-1] < 1e-3
    assert times.series.n == 5000
    assert max(times.series.seconds) == 1.0
    assert all(
        value == seconds[index] for index, value in zip(times.series.positions, times.series.seconds, strict=True)
    )
