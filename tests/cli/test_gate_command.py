"""``edgerig gate``: real runs, their exit codes, and what they leave for a CI."""

import json
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace
from tests.command_line import edgerig

from edgerig.cli.gate_command import exit_code
from edgerig.results.compare.types import Comparison
from edgerig.results.gate.judge import MEASURED, Check, GateResult
from edgerig.results.gate.outcomes import Outcome
from edgerig.testing.faults import NAME as FAULTY
from edgerig.testing.networks import dense_tflite, dense_tflite_int8

RIG = """\
name: g
model: {file: net.tflite}
dataset: {use: random, shape: [64], samples: 40}
matrix: [{runtimes: [litert], targets: [local]}]
measure: {rounds: 1, samples: 40, seconds: 0, profile: false, transport_samples: 0}
gate: {size: 0, budgets: [size < 1 MB]}
"""
#: Measure against the bundle runs/base, in pairs of processes where stored rounds do not decide.
RETRIED = ("gate", "rig.yaml", "--baseline", "runs/base", "--out", "runs/g", "--inconclusive", "retry", "--json")


@pytest.fixture
def call(capfd, tmp_path, monkeypatch):
    """Runs ``edgerig`` in a folder with a rig: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    dense_tflite(tmp_path / "net.tflite", 64, 4)
    (tmp_path / "rig.yaml").write_text(RIG)
    return partial(edgerig, capfd)


def test_a_baseline_that_there_is_not_is_2_and_nothing_is_measured(call, tmp_path) -> None:
    code, out, err = call("gate", "rig.yaml", "--baseline", "runs/nothing", "--out", "runs/g")
    assert (code, out) == (2, "")
    assert "runs/nothing" in err
    assert not (tmp_path / "runs").exists()
    code, _, err = call("gate", "rig.yaml", "--baseline", "x", "--set", "gate.latncy=5 %")
    assert code == 2
    assert "latncy" in err


@pytest.mark.slow
def test_a_gate_says_by_its_exit_code_what_has_become_of_the_network(call, tmp_path, monkeypatch) -> None:
    assert call("run", "rig.yaml", "--out", "runs/base")[0] == 0
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    gate = ("gate", "rig.yaml", "--baseline", "runs/base", "--out", "runs/g")
    code, out, err = call(*gate, "--junit", "gate.xml")
    assert code == 0, out + err
    assert "passed, against runs/base" in out
    root = ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "0")
    assert "net-litert-local" in summary.read_text()
    assert json.loads((tmp_path / "runs/g/gate.json").read_text())["outcome"] == "passed"
    assert (tmp_path / "runs/g/report.html").exists()
    assert "All limits are kept" in (tmp_path / "runs/g/gate.html").read_text()

    dense_tflite(tmp_path / "net.tflite", 64, 6)
    code, out, _ = call(*gate, "--junit", "gate.xml", "--markdown", "gate.md", "--annotations")
    assert code == 1
    assert "::error title=net-litert-local%3A size regressed::" in out
    assert "❌" in (tmp_path / "gate.md").read_text()
    root = ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    code, out, _ = call(*gate, "--set", "gate.size=10 kB", "--json")
    assert code == 0
    assert json.loads(out)["outcome"] == "passed"


@pytest.mark.slow
def test_what_is_not_certain_is_2_unless_it_may_pass(call, tmp_path) -> None:
    assert call("run", "rig.yaml", "--out", "runs/base")[0] == 0
    # Quality of random inputs cannot be compared.
    gate = ("gate", "rig.yaml", "--baseline", "runs/base", "--set", "gate.accuracy=1 point", "--junit", "gate.xml")
    assert call(*gate)[0] == 2
    assert ElementTree.parse(tmp_path / "gate.xml").getroot().get("failures") == "1"
    assert call(*gate, "--inconclusive", "pass")[0] == 0
    assert ElementTree.parse(tmp_path / "gate.xml").getroot().get("skipped") == "1"
    # A file that cannot be written costs the exit code, and not what was measured.
    code, out, err = call(
        "gate", "rig.yaml", "--baseline", "runs/base", "--out", "runs/h", "--junit", "net.tflite/j.xml"
    )
    assert (code, "net.tflite/j.xml" in err) == (2, True)
    assert "passed, against runs/base" in out
    assert (tmp_path / "runs" / "h" / "gate.json").exists()
    code, _, err = call("gate", "rig.yaml", "--baseline", "runs/base", "--out", "runs/base")
    assert code == 2
    assert "is the baseline" in err
    (tmp_path / "other.yaml").write_text(RIG.replace("litert", "tflm"))
    code, _, err = call("gate", "other.yaml", "--baseline", "runs/base", "--only", "*")
    assert code in (0, 2), err


@pytest.mark.slow
def test_times_that_stored_rounds_do_not_decide_are_measured_in_pairs(call, tmp_path: Path) -> None:
    # An engine that sleeps: however busy the machine is, the first look at the pairs decides.
    engine = f"[{{use: '{FAULTY}', name: sleeps, seconds: 0.002}}]"
    (tmp_path / "rig.yaml").write_text(RIG.replace("[64]", "[4]").replace("[litert]", engine))
    dense_tflite(tmp_path / "net.tflite", 4, 4)
    assert call("run", "rig.yaml", "--out", "runs/base")[0] == 0
    code, out, err = call(*RETRIED, "--set", "gate.latency=200 %")
    document = json.loads(out)
    (comparison,) = document["comparison"]["comparisons"]
    assert comparison["pairs"] >= 4, err
    assert code == 0, out
    assert (tmp_path / "runs/g/pairs-net-sleeps-local.npz").exists()


@pytest.mark.slow
def test_pairs_with_the_baseline_are_not_measured_for_a_budget(call) -> None:
    """They say nothing of the new number itself."""
    assert call("run", "rig.yaml", "--out", "runs/base")[0] == 0
    code, out, _ = call(*RETRIED, "--set", "gate.budgets=[latency < 1 ns]")
    (comparison,) = json.loads(out)["comparison"]["comparisons"]
    assert (code, comparison["pairs"]) == (2, 0)


@pytest.mark.slow
def test_a_rig_without_limits_and_without_labels_is_held_to_its_latency_alone(call, tmp_path) -> None:
    (tmp_path / "rig.yaml").write_text(RIG.replace("gate: {size: 0, budgets: [size < 1 MB]}", ""))
    assert call("run", "rig.yaml", "--out", "runs/base")[0] == 0
    _, out, _ = call("gate", "rig.yaml", "--baseline", "runs/base", "--out", "runs/g", "--json")
    assert [(check["metric"], check["limit"]) for check in json.loads(out)["checks"]] == [("latency", "5 %")]


@pytest.mark.slow
def test_pairs_do_not_decide_where_the_engine_is_set_otherwise(call, tmp_path: Path) -> None:
    """They run both networks on the engine as it is set now, and would call the same what takes ten times as long."""
    assert call("run", "rig.yaml", "--out", "runs/base")[0] == 0
    (tmp_path / "rig.yaml").write_text(RIG.replace("[litert]", "[{use: litert, kernels: reference}]"))
    code, out, err = call(*RETRIED, "--set", "gate.latency=200 %")
    (comparison,) = json.loads(out)["comparison"]["comparisons"]
    assert (code, comparison["pairs"]) == (2, 0), err
    assert any("settings of the runtime" in note for note in comparison["notes"])


@pytest.mark.slow
def test_a_cell_that_crashes_passes_nowhere_and_hides_nothing_of_the_others(call, tmp_path: Path) -> None:
    """Its process dies in round 2; the other cell's limits are judged, and what was measured of it is kept."""
    faulty = f"{{use: '{FAULTY}', name: %s, fault: %s, counter: %s, first: 2}}"
    part = ", ".join(faulty % each for each in (("well", "none", "w"), ("dies", "abort", "d")))
    rig = RIG.replace("[64]", "[4]").replace("[litert]", f"[{part}]").replace("rounds: 1,", "rounds: 2, patience: 0,")
    (tmp_path / "rig.yaml").write_text(rig.replace("fault: abort", "fault: none"))
    dense_tflite(tmp_path / "net.tflite", 4, 4)
    assert call("run", "rig.yaml", "--out", "runs/base")[0] == 0
    for counter in ("w", "d"):
        (tmp_path / counter).unlink()
    (tmp_path / "rig.yaml").write_text(rig)
    arguments = (
        "gate",
        "rig.yaml",
        "--baseline",
        "runs/base",
        "--out",
        "runs/g",
        "--inconclusive",
        "pass",
        "--no-confirm",
    )
    code, out, _ = call(*arguments, "--junit", "gate.xml", "--set", "gate.size=0", "--json")
    document = json.loads(out)
    outcomes = {(check["cell"], check["metric"], check["limit"]): check["outcome"] for check in document["checks"]}
    assert (code, document["outcome"]) == (2, "inconclusive"), "not even where what is not certain may pass"
    assert outcomes["net-well-local", "size", "0"] == "passed"
    assert outcomes["net-dies-local", "measured", "all rounds"] == "inconclusive"
    (check,) = (check for check in document["checks"] if check["metric"] == "measured")
    assert check["sentence"].startswith("It could not be measured. Round 2 failed: ")
    assert "SIGABRT" in check["sentence"]
    assert any(note.startswith("net-dies-local, now: Round 2 failed: ") for note in document["notes"])
    (case,) = (
        case for case in ElementTree.parse("gate.xml").iter("testcase") if case.get("name") == "measured all rounds"
    )
    assert case.find("failure") is not None
    assert json.loads((tmp_path / "runs/g/gate.json").read_text()) == document
    # What has become worse elsewhere counts more than that.
    (tmp_path / "d").unlink()
    code, out, _ = call(*(each.replace("runs/g", "runs/h") for each in arguments), "--set", "gate.budgets=[size < 1 B]")
    assert (code, "measured" in out) == (1, True)


def test_only_what_may_pass_passes() -> None:
    nothing = Comparison(version=1, edgerig="", created="", method="stored", comparisons=())
    check = Check(cell="c", metric="latency", limit="5 %", outcome="inconclusive", sentence="")

    def code(way: str, outcome: Outcome = "inconclusive", metric: str = "latency") -> int:
        checks = (replace(check, metric=metric),)
        return exit_code(GateResult(outcome=outcome, checks=checks, comparison=nothing, baseline="", bundle=""), way)

    assert [code(way) for way in ("fail", "pass", "retry")] == [2, 0, 2]
    assert code("pass", "regressed") == 1
    assert code("pass", metric=MEASURED) == 2, "what was not measured is not what is uncertain"


@pytest.mark.slow
def test_latency_of_a_simulated_board_is_gated_by_its_exact_count(call, tmp_path: Path) -> None:
    board = RIG.replace("runtimes: [litert], targets: [local]", 'runtimes: [micro], targets: ["sim:stm32f746"]')
    board = board.replace("gate: {size: 0, budgets: [size < 1 MB]}", "gate: {latency: 25 %}").replace("40", "4")
    (tmp_path / "rig.yaml").write_text(board)
    dense_tflite_int8(tmp_path / "net.tflite", 64, 4)
    assert call("run", "rig.yaml", "--out", "runs/base")[0] == 0
    gate = ("gate", "rig.yaml", "--baseline", "runs/base", "--out", "runs/g", "--junit", "gate.xml")
    code, out, err = call(*gate)
    assert code == 0, out + err
    assert "latency, by instructions" in out
    assert "1.000 times the baseline's instructions" in (tmp_path / "gate.xml").read_text()
    dense_tflite_int8(tmp_path / "net.tflite", 64, 8)
    code, out, err = call(*gate, "--json")
    (check,) = json.loads(out)["checks"]
    assert (code, check["outcome"], check["judged_by"]) == (1, "regressed", "instructions"), err
    assert check["verdict"]["kind"] == "emulated"
    assert 1.25 < check["verdict"]["value"] < 2
