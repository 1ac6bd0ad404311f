"""What tests of whole sessions have in common: samples, a device that knows their classes, the official checker."""

import re
from pathlib import Path
from typing import Any

from tests.suites.mlperf_tiny.runner.scripted import ScriptedDevice

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.suites.mlperf_tiny.runner.settings import RunSettings

#: What the official checker matches, line by line.
CHECKER = {
    "top1": r".* Top[- ]1%?\s?[:=] ([\d\.]+).*",
    "auc": r".* AUC\s?[:=] ([\d\.]+).*",
    "throughput": r".* Median throughput is\s+([\d\.]+) inf\./sec\..*",
    "energy": r".*Median energy cost is ([\d\.]+) uJ/inf",
}


def write_keywords(root: Path, count: int = 24) -> Path:
    """Samples whose first byte is their class, and whose second is 1 where the device is to get it wrong."""
    folder = root / "kws01"
    folder.mkdir(parents=True)
    lines = []
    for index in range(count):
        label = index % 12
        sample = bytes([label, int(index % 6 == 5)]) + bytes(488)
        (folder / f"tst_{index:06}.bin").write_bytes(sample)
        lines.append(f"tst_{index:06}.bin, 12, {label}\n")
    (folder / "y_labels.csv").write_text("".join(lines))
    return root


def by_first_byte(sample: bytes) -> list[float]:
    """0.7 for the class in the first byte, or for the next one, out of a sum of 1.4: they are not normalised."""
    scores = [0.0] * 12
    scores[(sample[0] + sample[1]) % 12] = 1.05
    scores[(sample[0] + 5) % 12] += 0.35
    return scores


def settings(scripted: ScriptedDevice, data: Path, out: Path, **changes: Any) -> RunSettings:
    values = {
        "benchmark": BENCHMARKS["kws01"],
        "mode": "accuracy",
        "address": scripted.address,
        "data": data,
        "out": out,
    }
    return RunSettings(**{**values, **changes})


def official(out: Path, name: str) -> float:
    """The number that the official checker takes out of a session's results.txt."""
    matches = [re.match(CHECKER[name], line) for line in (out / "results.txt").read_text().splitlines()]
    (match,) = [match for match in matches if match]
    return float(match[1])
