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
#: The same figures in the words that are used where they are no result by the rules.
NO_RESULT = {
    "top1": r".* Top-1 of this run, in percent: ([\d\.]+)$",
    "auc": r".* Area under the ROC curve in this run: ([\d\.]+)$",
    "throughput": r".* Throughput of this run, median:\s+([\d\.]+) inf\./sec\.$",
    "energy": r".* Energy cost in this run, median: ([\d\.]+) uJ/inf\.$",
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
    """The number that the official checker takes out of a session's results.txt, which must hold nothing against it."""
    text = (out / "results.txt").read_text()
    assert "No result by the rules" not in text
    return _figure(text, CHECKER[name])


def unofficial(out: Path, name: str) -> float:
    """The same number of a run that is no result by the rules: the checker must take nothing out of it."""
    text = (out / "results.txt").read_text()
    assert " No result by the rules: " in text.splitlines()[0]
    assert not [line for line in text.splitlines() for pattern in CHECKER.values() if re.match(pattern, line)]
    return _figure(text, NO_RESULT[name])


def _figure(text: str, pattern: str) -> float:
    (match,) = [match for line in text.splitlines() if (match := re.match(pattern, line))]
    return float(match[1])
