"""What a frame or a training's step frees is there for the next one, and not given back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CODE = """
import resource
import numpy as np
from edgerig.freed_memory import keep_freed_memory

if {keep}:
    assert keep_freed_memory({kept}, ahead={ahead})
def use():
    arrays = [np.ones(1_000_000, np.uint8) for _ in range(8)]
for _ in range(5):
    use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no mallopt")
@pytest.mark.parametrize(
    ("kept", "ahead"), [pytest.param(256 << 20, 128 << 10, id="video"), pytest.param(1 << 30, 64 << 20, id="training")]
)
def test_no_page_is_fetched_again_each_time(kept: int, ahead: int) -> None:
    def faults(keep: bool) -> int:
        code = CODE.format(keep=keep, kept=kept, ahead=ahead)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return int(done.stdout)

    # 20 times 8 MB are 39,000 pages.
    assert faults(keep=True) < 1000
    assert faults(keep=False) > 10_000
