"""Steps run once for equal inputs; what changes is run again, and nothing else."""

import os
import subprocess
import threading
from pathlib import Path

import pytest
from tests.suites.workflow.conftest import TWO_STEPS, Bench

from edgerig.errors import EdgerigError
from edgerig.suites.workflow.keys import content_of
from edgerig.suites.workflow.records import Result

#: A module whose class is a compiler, with code that runs when it is imported.
MODULE = """
import os
from pathlib import Path
from edgerig.compilers.c_array import CArray
{}
class Nothing(CArray):
    \"\"\"A compiler.\"\"\"
    name = "nothing"
"""


def states(results: dict[str, Result]) -> dict[str, str]:
    return {name: result.state for name, result in results.items()}


@pytest.mark.slow
def test_nothing_changed_nothing_run(bench: Bench) -> None:
    first = bench.run(TWO_STEPS)
    assert states(first) == {"first": "run", "second": "run"}
    header = bench.out / "first" / "build" / "net.h"
    assert "digits" in header.read_text()
    assert "32,120 B" in (bench.out / "second" / "log.txt").read_text()
    again = bench.run()
    assert states(again) == {"first": "unchanged", "second": "unchanged"}
    assert [again[name].record for name in again] == [first[name].record for name in first]
    # A comment is no change; a parameter is one of the steps that it reaches, and of those that read their outputs.
    bench.write("# what it is for\n" + TWO_STEPS)
    assert states(bench.run()) == {"first": "unchanged", "second": "unchanged"}
    assert states(bench.run(None, "symbol=numbers")) == {"first": "run", "second": "run"}
    assert "numbers" in header.read_text()
    # The earlier result is still there, and its folder shows it again.
    assert states(bench.run()) == {"first": "unchanged", "second": "unchanged"}
    assert "numbers" not in header.read_text()


@pytest.mark.slow
def test_a_changed_input_runs_what_reads_it(bench: Bench) -> None:
    bench.run(TWO_STEPS)
    other = TWO_STEPS.replace("inspect ${inputs.net}", "inspect ${inputs.net} --json")
    assert states(bench.run(other)) == {"first": "unchanged", "second": "run"}
    (bench.folder / "net.tflite.json").write_text("{}")
    net = bench.folder / "net.tflite"
    before = content_of(net)
    (bench.folder / "net.tflite.json").unlink()
    assert content_of(net) != before, "a description beside a file counts"


@pytest.mark.slow
def test_a_copy_that_was_changed_is_mended_and_a_damaged_result_made_again(bench: Bench) -> None:
    record = bench.run(TWO_STEPS)["first"].record
    assert record is not None
    header = bench.out / "first" / "build" / "net.h"
    text = header.read_text()
    header.write_text("changed by hand")
    assert states(bench.run())["first"] == "unchanged"
    assert header.read_text() == text
    (bench.cache.folder(record.stage) / "files" / "build" / "net.h").write_text("changed in the cache")
    again = bench.run()
    assert states(again) == {"first": "run", "second": "unchanged"}, "an equal result changes nothing after it"
    assert header.read_text() == text


@pytest.mark.slow
def test_one_step_alone_takes_the_results_of_those_before_it(bench: Bench) -> None:
    lonely = bench.run(TWO_STEPS, only=("second",))["second"]
    assert lonely.state == "failed"
    assert "first has no result yet" in lonely.reason
    assert "--only first" in lonely.reason
    bench.run(only=("first",))
    assert states(bench.run(only=("second",))) == {"second": "run"}
    assert "no result yet" in bench.run(None, "symbol=other", only=("second",))["second"].reason


@pytest.mark.slow
def test_a_skipped_step_stands_for_its_last_result(bench: Bench) -> None:
    text = TWO_STEPS.replace("symbol: digits", "symbol: digits, start: 0").replace(
        "    outputs:", "    when: start < 1\n    outputs:"
    )
    nothing = bench.run(text, "start=1")
    assert states(nothing) == {"first": "skipped", "second": "failed"}
    assert "is skipped" in nothing["second"].reason
    bench.run()
    assert states(bench.run(None, "start=1")) == {"first": "skipped", "second": "unchanged"}
    # Also where its parameters are others now: that is what skipping it is for.
    assert states(bench.run(None, "start=1", "symbol=x")) == {"first": "skipped", "second": "unchanged"}


@pytest.mark.slow
def test_what_does_not_make_its_output_fails_and_what_follows_is_not_run(bench: Bench) -> None:
    text = TWO_STEPS.replace("build/net.h", "build/other.h")
    results = bench.run(text)
    assert states(results) == {"first": "failed", "second": "not run"}
    reason = results["first"].reason
    assert "step 'first' ended well but did not make its output header: build/other.h is not there" in reason
    assert "build/net.h" in reason, "what it left instead"
    assert results["second"].reason == "first is not done"


def test_a_step_that_fails_says_what_its_command_said_and_leaves_its_log(bench: Bench) -> None:
    results = bench.run("steps: {a: {run: compile nothing.tflite --to c-array}, b: {run: list tasks}}")
    assert states(results) == {"a": "failed", "b": "not run"}
    assert "step 'a' failed with exit code" in results["a"].reason
    assert "nothing.tflite" in results["a"].reason
    assert "nothing.tflite" in (bench.out / "a.failed" / "log.txt").read_text()
    assert not (bench.out / "a").exists()


def test_a_step_runs_in_an_empty_folder_so_that_every_input_is_declared(bench: Bench) -> None:
    reason = bench.run("steps: {a: {run: inspect net.tflite}}")["a"].reason
    assert "net.tflite" in reason


@pytest.mark.fresh_processes("a step is killed")
@pytest.mark.slow
def test_a_killed_step_is_named_and_retried_as_often_as_it_says(bench: Bench) -> None:
    code = "open(Path(__file__).with_name('attempts'), 'a').write('x')\nos.kill(os.getpid(), 9)"
    (bench.folder / "killed.py").write_text(MODULE.format(code))
    reason = bench.run("steps: {a: {run: 'list compilers killed:Nothing', retries: 2, wait: 10 ms}}")["a"].reason
    assert "step 'a' was killed by SIGKILL" in reason
    assert "memory" in reason
    assert (bench.folder / "attempts").read_text() == "xxx"


def test_the_code_of_a_class_beside_the_workflow_counts(bench: Bench) -> None:
    (bench.folder / "mine.py").write_text(MODULE.format(""))
    text = "steps: {a: {run: 'list compilers mine:Nothing'}}"
    assert states(bench.run(text)) == {"a": "run"}
    assert states(bench.run()) == {"a": "unchanged"}
    (bench.folder / "mine.py").write_text(MODULE.format("# edited"))
    assert states(bench.run()) == {"a": "run"}
    # As does what the code reads.
    (bench.folder / "mine.py").write_text(MODULE.format("T = Path(__file__).with_name('t.json')"))
    for text in ("1", "2"):
        (bench.folder / "t.json").write_text(text)
        assert states(bench.run()) == {"a": "run"}


@pytest.mark.parametrize("named", ["custom: own_layers", "runtime: {use: keras, custom: own_layers}", "x: own_layers"])
def test_modules_that_a_rig_file_names_count_with_what_they_read(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, module, table = tmp_path / "rig.yaml", tmp_path / "own_layers.py", tmp_path / "t.json"
    rig.write_text(f"model: {{file: net.keras}}\n{named}\n")
    module.write_text("import os\nN = os.environ.get('OWN_LAYERS')\nT = open('t.json')\n")
    table.write_text("1")
    seen = [content_of(rig)]
    assert content_of(rig) == seen[0]
    table.write_text("2")
    seen.append(content_of(rig))
    monkeypatch.setenv("OWN_LAYERS", "3")
    seen.append(content_of(rig))
    module.write_text(module.read_text() + "# edited\n")
    seen.append(content_of(rig))
    assert len(set(seen)) == 4


def test_a_wrong_call_is_not_tried_again(bench: Bench) -> None:
    results = bench.run("steps: {a: {run: list --nonsense, retries: 5, wait: 1 h}}")
    assert "--nonsense" in results["a"].reason


@pytest.mark.fresh_processes("a step is killed")
@pytest.mark.slow
def test_a_step_that_takes_too_long_is_stopped(bench: Bench) -> None:
    reason = bench.run("steps: {a: {run: 'agent --listen 127.0.0.1:0', timeout: 1.5 s}}")["a"].reason
    assert "longer than its timeout of 1.5 s" in reason


@pytest.mark.fresh_processes("a step is killed")
@pytest.mark.slow
def test_a_command_without_an_end_is_stopped_and_has_succeeded(bench: Bench) -> None:
    text = "steps: {a: {run: 'agent --listen 127.0.0.1:0', stop_after: 2 s}}"
    assert states(bench.run(text)) == {"a": "run"}
    ended = bench.run("steps: {a: {run: list tasks, stop_after: 60 s}}")["a"].reason
    assert "before it was to be stopped" in ended


def test_an_input_that_changes_while_a_step_runs_spoils_the_step(bench: Bench) -> None:
    (bench.folder / "data.txt").write_text("before")
    (bench.folder / "changes.py").write_text(MODULE.format("Path(__file__).with_name('data.txt').write_text('after')"))
    text = "steps: {a: {run: 'list compilers changes:Nothing', inputs: {data: data.txt}}}"
    result = bench.run(text)["a"]
    assert result.state == "failed"
    assert "the input data" in result.reason
    assert "was changed while the step ran" in result.reason
    assert states(bench.run()) == {"a": "run"}, "nothing was kept of that"


@pytest.mark.slow
def test_independent_steps_run_side_by_side_and_those_that_measure_alone(bench: Bench) -> None:
    text = """
    steps:
      a: {run: list tasks}
      b: {run: list formats}
      c: {run: list models, measures: true}
    """
    seen: list[set[str]] = []
    running: set[str] = set()
    lock = threading.Lock()
    from edgerig.suites.workflow import process

    original = process.Attempt.run

    def watched(self: process.Attempt, *arguments: object) -> process.Ended:
        with lock:
            running.add(self.words[1])
            seen.append(set(running))
        try:
            return original(self, *arguments)  # type: ignore[arg-type]
        finally:
            with lock:
                running.discard(self.words[1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process.Attempt, "run", watched)
        assert set(states(bench.run(text, jobs=3)).values()) == {"run"}
    assert {"tasks", "formats"} in seen
    assert {"models"} in seen
    assert not any("models" in group and len(group) > 1 for group in seen)


@pytest.mark.slow
def test_a_full_disk_is_said_and_once_there_is_space_the_step_runs(bench: Bench) -> None:
    disk = bench.folder / "cache"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk can be mounted only by root")
    try:
        failed = bench.run(TWO_STEPS)["first"]
        assert failed.state == "failed"
        assert "disk" in failed.reason
        assert "full" in failed.reason
        assert "space" in failed.reason
        assert not list(disk.rglob("step.json")), "nothing half-made counts as done"
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert states(bench.run()) == {"first": "run", "second": "run"}
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_files_that_a_rig_file_names_count(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_text("1")
    (tmp_path / "mine.py").write_text("class Mine: pass")
    (tmp_path / "rig.yaml").write_text("model: {file: net.tflite}\ndataset: mine:Mine\n")
    first = content_of(tmp_path / "rig.yaml")
    (tmp_path / "net.tflite").write_text("2")
    second = content_of(tmp_path / "rig.yaml")
    (tmp_path / "mine.py").write_text("class Mine: other = 1")
    third = content_of(tmp_path / "rig.yaml")
    assert len({first, second, third}) == 3


def test_a_step_named_that_there_is_not_is_refused(bench: Bench) -> None:
    with pytest.raises(EdgerigError, match="frist") as caught:
        bench.run(TWO_STEPS, only=("frist",))
    assert "first" in str(caught.value)
