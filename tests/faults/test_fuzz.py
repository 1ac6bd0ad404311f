"""Coverage-guided fuzzing of both decoders for ``EDGERIG_FUZZ_SECONDS`` each (`make fuzz` takes ten minutes)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.needs import need, need_module

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("EDGERIG_FUZZ_SECONDS", "10"))


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_the_python_decoder_withstands_guided_fuzzing(tmp_path: Path) -> None:
    need_module("atheris", "atheris")
    script = Path(__file__).with_name("fuzz_frames.py")
    command = [sys.executable, str(script), str(tmp_path), f"-max_total_time={SECONDS}", "-max_len=600", "-seed=1"]
    # libFuzzer reads ru_maxrss, which a process inherits from the one that started it: the tests' own process may have
    # taken more. What a single input makes the decoder take is limited instead.
    command += ["-rss_limit_mb=0", "-malloc_limit_mb=64"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    (runs,) = re.findall(r"Done (\d+) runs", done.stderr)
    (coverage,) = re.findall(r"DONE\s+cov: (\d+)", done.stderr)
    print(f"{runs} inputs, {coverage} edges")
    assert int(runs) > 1000
    assert int(coverage) > 50


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_the_c_core_withstands_guided_fuzzing(tmp_path: Path) -> None:
    need("make", "gcc")
    make = ["make", "-C", str(ROOT / "firmware"), f"BUILD={tmp_path}", "CC=gcc", str(tmp_path / "er_cover.san")]
    built = subprocess.run(make, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    fuzzer = [tmp_path / "er_cover.san", "1", str(SECONDS)]
    done = subprocess.run(fuzzer, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    counts = {name: int(count) for name, count in re.findall(r"(\w+) (\d+)", done.stdout)}
    print(done.stdout)
    assert counts["played"] > 1000
    assert counts["edges"] > 200
