"""Freed memory of frames stays with the process."""

from __future__ import annotations

import subprocess
import sys

FAULTS = """
import resource, numpy as np
from edgerig.serve.video.memory import keep_freed_memory
if {keep}: assert keep_freed_memory()
def use():
    # Like a frame: several arrays at once, freed together.
    arrays = [np.ones(1_000_000, np.uint8) for _ in range(8)]
for _ in range(5): use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20): use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep: bool) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS.format(keep=keep)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_no_page_is_fetched_again_for_each_frame() -> None:
    # 20 frames of 8 MB are 39,000 pages.
    assert faults(keep=True) < 1000
    assert faults(keep=False) > 10_000
