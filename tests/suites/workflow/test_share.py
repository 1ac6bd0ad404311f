"""Results that several machines share through a store; another cache stands for another machine."""

from pathlib import Path

import pytest
from tests.needs import need_module
from tests.suites.workflow.conftest import TWO_STEPS, Bench

from edgerig.cache import StageCache
from edgerig.errors import DamagedObjectError
from edgerig.progress import Progress
from edgerig.store import Entry, open_dataset
from edgerig.suites.workflow.datasets import identity_of_version, pinned
from edgerig.suites.workflow.load import load_workflow
from edgerig.suites.workflow.records import Result
from edgerig.suites.workflow.run import RunOptions, run_workflow


@pytest.fixture(autouse=True)
def _needs_a_store() -> None:
    need_module("obstore", "store")


def run_on(machine: str, bench: Bench, *only: str) -> dict[str, Result]:
    """Run the workflow with a cache and an output folder that only ``machine`` has."""
    workflow = load_workflow(bench.folder / "w.yaml")
    options = RunOptions(out=bench.folder / machine, only=only, store=str(bench.folder / "store"))
    cache = StageCache(bench.folder / f"cache-{machine}")
    return {result.step: result for result in run_workflow(workflow, options, Progress(), cache)}


@pytest.mark.slow
def test_what_one_machine_has_run_the_others_take_from_the_store(bench: Bench) -> None:
    bench.write(TWO_STEPS)
    first = run_on("a", bench, "first")["first"]
    assert first.state == "run"
    second = run_on("b", bench, "second")["second"]
    assert second.state == "run", second.reason
    again = run_on("c", bench)
    assert {name: result.state for name, result in again.items()} == {"first": "unchanged", "second": "unchanged"}
    assert again["first"].record == first.record
    header = Path("first", "build", "net.h")
    assert (bench.folder / "c" / header).read_bytes() == (bench.folder / "a" / header).read_bytes()
    # Nothing is stored twice, and nothing is left behind.
    results = sorted((bench.folder / "store" / "workflow").rglob("*.json"))
    assert len(results) == 2


@pytest.mark.slow
def test_a_result_of_another_kind_of_machine_counts_as_done_for_later_steps_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    import platform

    bench.write(TWO_STEPS)
    record = run_on("a", bench, "first")["first"].record
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert run_on("b", bench, "second")["second"].state == "run"
    own = run_on("c", bench, "first")["first"]
    assert own.state == "run", "a step that is asked for runs where it is asked for"
    assert own.record is not None
    assert record is not None
    assert own.record.portable == record.portable
    assert own.record.stage != record.stage


@pytest.mark.slow
def test_a_damaged_object_is_named_and_not_used(bench: Bench) -> None:
    bench.write(TWO_STEPS)
    record = run_on("a", bench, "first")["first"].record
    assert record is not None
    digest = record.outputs["header"].files["net.h"].sha256
    path = bench.folder / "store" / "objects" / digest[:2] / digest
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    result = run_on("b", bench, "second")["second"]
    assert result.state == "failed"
    assert digest in result.reason
    assert DamagedObjectError.__name__ not in result.reason


@pytest.mark.slow
def test_a_result_that_is_not_what_its_name_says_is_refused(bench: Bench) -> None:
    bench.write(TWO_STEPS)
    run_on("a", bench, "first")
    (path,) = (bench.folder / "store" / "workflow").rglob("*.json")
    whole = path.read_bytes()
    for text, part in (
        (b"{", "is damaged"),
        (whole.replace(b"files/build", b"../build"), "not the result"),
        # Paths that lead out of the cache and of the output folder, and a record that is not the one in the stage.
        (whole.replace(b'"path":"build', b'"path":"../../build'), "not the result"),
        (whole.replace(b'"step":"first"', b'"step":"../first"'), "not the result"),
        (whole.replace(b'"attempts":1', b'"attempts":2'), "not the result"),
    ):
        assert text != whole
        path.write_bytes(text)
        result = run_on("b", bench, "second")["second"]
        assert result.state == "failed"
        assert part in result.reason


def commit(address: str, *names: str) -> int:
    versions, _ = open_dataset(address, writing=True)
    newest = versions.latest()
    base = versions.read(newest) if newest is not None else None
    entries = []
    for name in names:
        stored = versions.store.objects.add(name.encode())
        entries.append(Entry(name=name, sha256=stored.sha256, size=stored.size))
    return versions.commit(entries, base=base).version


def test_a_dataset_counts_by_what_is_in_its_version(bench: Bench) -> None:
    address = str(bench.folder / "data" / "street")
    text = f"steps: {{look: {{run: list tasks, inputs: {{data: {{store: {address}}}}}}}}}"
    missing = bench.run(text)["look"]
    assert missing.state == "failed"
    commit(address, "a.png")
    assert bench.run()["look"].state == "run"
    assert bench.run()["look"].state == "unchanged"
    commit(address, "a.png", "b.png")
    assert bench.run()["look"].state == "run", "the newest version is another one now"
    commit(address, "a.png")
    assert pinned(address)[0].endswith("street@3")
    assert bench.run()["look"].state == "unchanged", "what is in it is as it was in the first"
    versions, _ = open_dataset(address)
    assert identity_of_version(versions.read(1)) == identity_of_version(versions.read(3))


@pytest.mark.slow
def test_an_output_that_is_a_dataset_must_be_there(bench: Bench) -> None:
    result = bench.run("steps: {make: {run: list tasks, outputs: {data: {store: street}}}}")["make"]
    assert result.state == "failed"
    assert "did not make its output data" in result.reason
