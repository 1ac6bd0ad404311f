from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.report.conftest import machine
from tests.results.conftest import make_measured

from edgerig.errors import IncompatibleError, StorageError, UnknownNameError
from edgerig.measure.kinds import Measurement
from edgerig.results.compare.stored import StoredOptions, compare_bundles
from edgerig.results.compare.types import MetricVerdict
from edgerig.tasks.judgement import MetricValue

Write = Callable[..., Path]
SLOW, FAST = [100e-6, 101e-6, 99e-6, 100e-6, 100.5e-6], [90e-6, 91e-6, 89e-6, 90e-6, 90.5e-6]


def verdicts(a: Path, b: Path, **options: object) -> dict[str, MetricVerdict]:
    (comparison,) = compare_bundles(a, b, StoredOptions(**options)).comparisons  # type: ignore[arg-type]
    return comparison.metrics


def test_rounds_that_lie_apart_are_slower_or_faster(write_run: Write) -> None:
    slow, fast = write_run("slow", make_measured(SLOW)), write_run("fast", make_measured(FAST))
    found = verdicts(fast, slow)["latency"]
    assert (found.verdict, found.count) == ("slower", 5)
    assert found.value == pytest.approx(100.1 / 90.1, rel=1e-3)
    assert found.low is not None
    assert 1.02 < found.low < 100.1 / 90.1
    assert verdicts(slow, fast)["latency"].verdict == "faster"
    assert verdicts(slow, fast)["size"].verdict == "same"


def test_a_bundle_of_one_round_passes_nothing(write_run: Write) -> None:
    one, other = write_run("one", make_measured([90e-6])), write_run("other", make_measured(FAST))
    found = verdicts(one, other)["latency"]
    assert found.verdict == "inconclusive"
    assert "A was measured in one round" in found.sentence
    assert found.low is None
    # What is counted does not need rounds.
    assert verdicts(one, other)["size"].verdict == "same"


def test_a_bundle_of_an_edgerig_without_rounds_passes_nothing(write_run: Write) -> None:
    cell, arrays = make_measured(FAST)
    old = write_run("old", (msgspec.structs.replace(cell, rounds=()), arrays))
    assert verdicts(old, write_run("new", make_measured(FAST)))["latency"].verdict == "inconclusive"


def test_another_machine_is_refused_by_name_and_another_version_is_told(write_run: Write) -> None:
    a = write_run("a", make_measured(FAST))
    b = write_run("b", make_measured(SLOW, machine=machine(cpu="Cortex-A72")), edgerig="0.2.0")
    (comparison,) = compare_bundles(a, b).comparisons
    found = comparison.metrics["latency"]
    assert found.verdict == "inconclusive"
    assert "Cortex-A72" in found.sentence
    assert "A and B differ in edgerig: 0.1.0 and 0.2.0." in comparison.notes
    memory = comparison.metrics["peak_rss"]
    assert (memory.verdict, memory.value, "Cortex-A72" in memory.sentence) == ("inconclusive", None, True)
    assert comparison.metrics["size"].verdict == "same", "a file is as large everywhere"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"governor": "performance"}, {"governor": "powersave"}, "frequency governor performance and powersave"),
        ({"on_battery": False}, {"on_battery": True}, "B ran on its battery, A did not"),
    ],
)
def test_times_of_a_device_that_was_set_otherwise_meanwhile_have_no_verdict(
    before: dict[str, Any], after: dict[str, Any], words: str, write_run: Write
) -> None:
    a, b = (
        write_run(name, make_measured(series, machine=machine(**state)))
        for name, series, state in (("a", FAST, before), ("b", SLOW, after))
    )
    judged = verdicts(a, b)
    assert judged["latency"].verdict == "inconclusive"
    assert words in judged["latency"].sentence
    assert judged["peak_rss"].value is not None, "memory does not depend on it"
    unknown = write_run("c", make_measured(SLOW, machine=machine()))
    assert verdicts(a, unknown)["latency"].verdict == "slower"


def test_memory_of_processes_that_got_other_samples_is_not_set_against_each_other(write_run: Write) -> None:
    """Samples are part of a process's memory: more of them are no worse a network."""
    a, b = write_run("a", make_measured(FAST)), write_run("b", make_measured(FAST, measured_samples=2000))
    memory = verdicts(a, b)["peak_rss"]
    assert (memory.verdict, memory.value) == ("inconclusive", None)
    assert "was given" in memory.sentence
    assert "2,000" in memory.sentence
    assert verdicts(a, a)["peak_rss"].value is not None


def test_what_makes_either_run_or_cell_less_trustworthy_stands_beside_the_verdicts(write_run: Write) -> None:
    hot = make_measured(SLOW, warnings=("The machine throttled.",), options={"threads": 4})
    a, b = write_run("a", make_measured(FAST, options={"threads": 1})), write_run("b", hot, warnings=("Out of cells.",))
    (comparison,) = compare_bundles(a, b).comparisons
    assert {"B: The machine throttled.", "B: Out of cells."} <= set(comparison.notes)
    assert "A and B differ in settings of the runtime: threads 1 and 4." in comparison.notes
    (comparison,) = compare_bundles(a, write_run("c", make_measured(FAST, options={}))).comparisons
    assert "A and B differ in settings of the runtime: threads 1 and as by default." in comparison.notes


def test_numbers_of_two_kinds_and_of_two_clocks_are_not_set_against_each_other(write_run: Write) -> None:
    cell, arrays = make_measured(SLOW)
    assert isinstance(cell.latency.steady, Measurement)
    steady = msgspec.structs.replace(cell.latency.steady, kind="modelled")
    modelled = msgspec.structs.replace(cell, latency=msgspec.structs.replace(cell.latency, steady=steady))
    a = write_run("a", make_measured(FAST))
    assert "measured" in verdicts(a, write_run("b", (modelled, arrays)))["latency"].sentence
    found = verdicts(a, write_run("c", make_measured(SLOW, clock="DWT cycle counter, 5 ns")))["latency"]
    assert (found.verdict, "clocks" in found.sentence) == ("inconclusive", True)


def test_quality_of_other_data_is_not_compared(write_run: Write) -> None:
    a = write_run("a", make_measured(FAST))
    dataset = msgspec.json.decode((a / "results.json").read_bytes())["dataset"] | {"fingerprint": "other"}
    from edgerig.results.types import DatasetInfo

    b = write_run("b", make_measured(FAST, wrong=300), dataset=msgspec.convert(dataset, DatasetInfo))
    (comparison,) = compare_bundles(a, b).comparisons
    assert "accuracy" not in comparison.metrics
    assert any("data are not alike" in note for note in comparison.notes)


def test_quality_is_compared_sample_by_sample(write_run: Write) -> None:
    a = write_run("a", make_measured(FAST, wrong=10))
    found = verdicts(a, write_run("b", make_measured(FAST, wrong=25)))["accuracy"]
    assert found.verdict == "worse"
    assert "2.5 times as many" in found.sentence


def test_one_file_is_exactly_as_good_as_itself_on_one_machine_only(write_run: Write) -> None:
    """Engines have other kernels for other processors, which may round to other answers."""
    cell, arrays = make_measured(FAST)
    a, same = write_run("a", (cell, arrays)), write_run("same", (cell, arrays))
    b = write_run("b", (msgspec.structs.replace(cell, machine=machine(architecture="aarch64", cpu="A76")), arrays))
    accuracies = [verdicts(a, other)["accuracy"] for other in (same, b)]
    assert [accuracy.verdict for accuracy in accuracies] == ["same", "inconclusive"]
    assert ["interval" in accuracy.method for accuracy in accuracies] == [False, True]
    assert accuracies[1].low is not None
    assert accuracies[1].low < 0


def test_two_cells_of_one_run_are_compared_round_by_round(write_run: Write) -> None:
    # Both rounds of a kind are far apart from each other, and alike within a round.
    cell, arrays = make_measured([50e-6, 100e-6, 150e-6, 200e-6])
    other, _ = make_measured([55e-6, 110e-6, 165e-6, 220e-6])
    run = write_run("run", (cell, arrays), (msgspec.structs.replace(other, id="other"), arrays))
    (comparison,) = compare_bundles(run, run, StoredOptions(cells=(cell.id, "other"))).comparisons
    assert comparison.metrics["latency"].verdict == "slower"
    assert comparison.metrics["latency"].value == pytest.approx(1.1, rel=1e-3)


def test_cells_are_matched_by_id_and_the_rest_is_named(write_run: Write) -> None:
    cell, arrays = make_measured(FAST)
    named = [(msgspec.structs.replace(cell, id=name), arrays) for name in ("x", "y", "z")]
    a, b = write_run("a", named[0], named[1]), write_run("b", named[1], named[2])
    comparison = compare_bundles(a, b)
    assert [(row.a.cell, row.b.cell) for row in comparison.comparisons] == [("y", "y")]
    assert (comparison.only_a, comparison.only_b) == (("x",), ("z",))
    with pytest.raises(UnknownNameError):
        compare_bundles(a, b, StoredOptions(cells=("nothing", None)))
    c = write_run("c", named[2], (msgspec.structs.replace(cell, id="w"), arrays))
    with pytest.raises(IncompatibleError):
        compare_bundles(a, c)


def test_what_is_no_bundle_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        compare_bundles(tmp_path, tmp_path)


def test_a_quality_without_a_verdict_is_told_with_both_values(write_run: Write) -> None:
    """Faster and smaller alone would read as if nothing had been lost."""
    cells = []
    for value in (0.186, 0.2):
        cell, arrays = make_measured([1e-4] * 3)
        metric = MetricValue(name="mae", value=value, higher_is_better=False, unit="m")
        quality = msgspec.structs.replace(cell.quality, metrics=(metric,))
        arrays = {name: values for name, values in arrays.items() if name in ("times_ns", "indices")}
        cells.append((msgspec.structs.replace(cell, quality=quality), arrays))
    (comparison,) = compare_bundles(write_run("a", cells[0]), write_run("b", cells[1])).comparisons
    assert "accuracy" not in comparison.metrics
    assert any("mae is 0.186 m of A and 0.2 m of B; less is better" in note for note in comparison.notes)
