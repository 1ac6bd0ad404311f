from tests.suites.mlperf_tiny.emulated_devices import keyword_board as keyword_board
from tests.suites.mlperf_tiny.emulated_devices import network_files as network_files
