"""The benchmarks, which the datasets need too: they are declared there."""

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS as BENCHMARKS
from edgerig.datasets.mlperf_tiny.benchmarks import CIFAR10 as CIFAR10
from edgerig.datasets.mlperf_tiny.benchmarks import KEYWORDS as KEYWORDS
from edgerig.datasets.mlperf_tiny.benchmarks import PERFORMANCE_FILES as PERFORMANCE_FILES
from edgerig.datasets.mlperf_tiny.benchmarks import WINDOW_SECONDS as WINDOW_SECONDS
from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark as Benchmark
from edgerig.datasets.mlperf_tiny.benchmarks import Quality as Quality
from edgerig.datasets.mlperf_tiny.benchmarks import benchmark_named as benchmark_named
