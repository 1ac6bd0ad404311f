from pathlib import Path

import pytest

from edgerig.errors import SpecError, UnknownNameError
from edgerig.suites.workflow.load import load_workflow
from edgerig.suites.workflow.types import Made, Workflow


def load(folder: Path, text: str, *parameters: str, settings: tuple[str, ...] = ()) -> Workflow:
    (folder / "data.txt").write_text("x")
    (folder / "w.yaml").write_text(text)
    return load_workflow(folder / "w.yaml", settings, parameters, ["train", "compile", "bench", "serve", "firmware"])


GOOD = """
parameters: {epochs: 3, rate: 0.5, fast: false, kind: unet}
steps:
  test:
    run: [bench, "${inputs.net}", --seconds, "${rate}"]
    inputs: {net: train.model/unet.keras}
    after: prepare
  train:
    run: edgerig train ${kind} --dataset nuclei --epochs ${epochs} --out ${outputs.model}
    inputs: {data: data.txt}
    outputs: {model: model}
    timeout: 1.5 h
  prepare:
    run: firmware flash fw
    when: not fast
"""


def test_steps_come_after_those_that_they_need(tmp_path: Path) -> None:
    workflow = load(tmp_path, GOOD, "epochs=7")
    assert list(workflow.steps) == ["train", "prepare", "test"]
    assert workflow.name == "w"
    train, test = workflow.steps["train"], workflow.steps["test"]
    assert train.words == ("train", "unet", "--dataset", "nuclei", "--epochs", "7", "--out", "${outputs.model}")
    assert train.inputs == {"data": tmp_path / "data.txt"}
    assert train.timeout == 5400
    assert test.inputs == {"net": Made("train", "model", "unet.keras")}
    assert test.needs == ("train", "prepare")
    assert test.words[-1] == "0.5"


def test_what_a_command_is_sets_whether_it_runs_alone_and_whether_always(tmp_path: Path) -> None:
    steps = load(tmp_path, GOOD, settings=("steps.prepare.always=false",)).steps
    assert (steps["test"].measures, steps["train"].measures) == (True, False)
    assert steps["prepare"].always is False
    assert load(tmp_path, GOOD).steps["prepare"].always is True


def test_a_condition_that_does_not_hold_is_no_error(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD, "fast=true").steps["prepare"].holds is False


STEP = "steps: {a: {run: train x --out o, outputs: {o: o}"
#: What is wrong, and a part of what is said of it.
WRONG = [
    ("steps: {}", "'steps' is missing"),
    ("stps: {a: {run: train}}", "did you mean 'steps'"),
    ("steps: {a: {runs: train}}", "did you mean 'run'"),
    ("steps: {a: {run: train, retry: 3}}", "'retry'; did you mean 'retries'"),
    ("steps: {a: {run: trian x}}", "Did you mean 'train'"),
    ("steps: {a: {run: train 'x}}", "no closing quotation"),
    ("steps: {a: {run: ''}}", "the command is empty"),
    ("steps: {A b: {run: train}}", "cannot name a step"),
    ("name: a/b\nsteps: {a: {run: train}}", "cannot name a workflow"),
    ("steps: {a: {run: train, retries: many}}", "retries: expected `int`"),
    ("steps: {a: {run: train, timeout: 90}}", "timeout: expected `str | null`"),
    ("steps: {a: {run: train, timeout: '90'}}", "90 of what"),
    ("steps: {a: {run: train, timeout: 0 s}}", "not above 0"),
    ("steps: {a: {run: 'train ${epoch}'}}\nparameters: {epochs: 3}", "Did you mean 'epochs'"),
    ("steps: {a: {run: 'train ${inputs.dta}', inputs: {data: data.txt}}}", "Did you mean 'data'"),
    ("steps: {a: {run: train, inputs: {x: dat.txt}}}", "nobody makes 'dat.txt'"),
    ("steps: {a: {run: train, inputs: {x: dat.txt}}}", "Did you mean 'data.txt'"),
    (STEP + "}, b: {run: train, inputs: {x: a.p}}}", "Unknown output of step 'a': 'p'"),
    (STEP + "}, b: {run: train, inputs: {x: ab.o}}}", "nobody makes 'ab.o'"),
    ("steps: {a: {run: train, after: c}, b: {run: train}}", "Unknown step 'c'"),
    ("steps: {a: {run: train, outputs: {x: /tmp/x}}}", "not a path within"),
    ("steps: {a: {run: train, outputs: {x: ../x}}}", "not a path within"),
    ("steps: {a: {run: train, outputs: {x: o/p, y: o}}}", "x and y are one path, or one within the other"),
    ("steps: {a: {run: train, outputs: {x: {store: s}}}, b: {run: train, outputs: {x: {store: s}}}}", "after: a"),
    ("steps: {a: {run: train, outputs: {x: {store: 's@3'}}}}", "leave out the @"),
    ("steps: {a: {run: train, inputs: {x: {stoer: s}}}}", "stoer"),
    ("steps: {a: {run: train, inputs: {b-c: data.txt}}}", "letters, digits and _"),
    ("steps: {a: {run: train, when: x < 1}}", "Unknown parameter 'x'"),
    ("steps: {a: {run: workflow run x}}", "Unknown command 'workflow'"),
    ("parameters: {a: [1]}\nsteps: {a: {run: train}}", "must be a text, a number, or true or false"),
    ("- a", "is a mapping with the keys steps"),
    ("steps: [", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "part"), WRONG, ids=[f"{part}-{number}" for number, (_, part) in enumerate(WRONG)])
def test_what_is_wrong_is_said_with_how_to_mend_it(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text)
    assert part in str(caught.value)


def test_a_circle_is_named(tmp_path: Path) -> None:
    text = """
    steps:
      free: {run: train}
      a: {run: train, inputs: {x: c.o}, outputs: {o: o}}
      b: {run: train, inputs: {x: a.o}, outputs: {o: o}}
      c: {run: train, after: b, outputs: {o: o}}
    """
    with pytest.raises(SpecError, match="a -> c -> b -> a"):
        load(tmp_path, text)


def test_two_steps_may_add_to_one_dataset_one_after_the_other(tmp_path: Path) -> None:
    text = """
    steps:
      a: {run: train, outputs: {x: {store: s}}}
      b: {run: train, after: a, outputs: {x: {store: s}}}
    """
    assert list(load(tmp_path, text).steps) == ["a", "b"]


def test_all_problems_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, "steps:\n  a: {runs: x}\n  b:\n    run: train\n    retrys: 3\n")
    text = str(caught.value)
    assert "w.yaml has 3 problems" in text
    assert "w.yaml:5: steps.b: unknown key 'retrys'" in text


@pytest.mark.parametrize(
    ("assignment", "part"),
    [
        ("epochs=many", "whole number"),
        ("epochs=1.5", "whole number"),
        ("epochs=true", "whole number"),
        ("fast=1", "true or false"),
        ("rate=x", "a number"),
        ("epochs", "name=value"),
    ],
)
def test_a_parameter_has_the_type_of_its_default(tmp_path: Path, assignment: str, part: str) -> None:
    with pytest.raises(SpecError, match=part):
        load(tmp_path, GOOD, assignment)


def test_a_parameter_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'epochs'"):
        load(tmp_path, GOOD, "epoch=3")
    assert load(tmp_path, GOOD, "rate=2").parameters["rate"] == 2.0
    assert load(tmp_path, GOOD, "kind=1").parameters["kind"] == "1"


def test_a_missing_file_is_called_a_workflow_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="Cannot read the workflow file") as caught:
        load_workflow(tmp_path / "none.yaml")
    assert "bench" not in str(caught.value)


def test_a_rig_file_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("model: net.tflite\ndataset: mnist\n")
    with pytest.raises(SpecError, match=r"w.yaml is a rig file, and no workflow.\nedgerig run"):
        load_workflow(tmp_path / "w.yaml")
