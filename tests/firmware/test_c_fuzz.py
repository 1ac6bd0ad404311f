"""Broken sessions thrown at the core with sanitizers on, bounded."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROUNDS = 20_000


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_broken_sessions_neither_crash_nor_deafen_the_core(built: Path, seed: int) -> None:
    done = subprocess.run(
        [built / "er_fuzz.san", str(seed), str(ROUNDS)], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    counts = {name: int(count) for name, count in re.findall(r"([a-z ]+?) (\d+)(?:,|\n)", done.stdout)}
    counts = {name.strip(): count for name, count in counts.items()}
    assert counts["rounds"] == ROUNDS
    assert counts["requests"] > 2 * ROUNDS
    # The fuzzer reaches what lies behind the checks.
    assert counts["ok"] > ROUNDS
    assert counts["errors"] > ROUNDS
    assert counts["runs"] > ROUNDS // 2
    assert counts["bad answers"] == counts["deaf"] == counts["others"] == 0
