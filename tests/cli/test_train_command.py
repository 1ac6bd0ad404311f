from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import click.testing
import pytest
from tests.command_line import edgerig
from tests.xla import QUICK_TO_TRAIN

from edgerig.cli import cli, main
from edgerig.cli.train_command import command
from edgerig.models.base import TrainSettings


@pytest.fixture
def names(tmp_path, monkeypatch):
    """Names of a small model and dataset, importable as a user's own plugins are."""
    conftest = Path(__file__).parent.parent / "models" / "conftest.py"
    (tmp_path / "rigparts.py").write_text(conftest.read_text())
    monkeypatch.syspath_prepend(str(tmp_path))
    return "rigparts:TinyNet", "rigparts:Patterns"


@pytest.fixture
def run(names, capsys):
    return partial(edgerig, capsys, "train", names[0], "--dataset", names[1])


@pytest.mark.slow
def test_train_tells_where_the_model_is_how_good_and_what_to_do_next(run, tmp_path):
    code, out, err = run(
        "--epochs", 1, "--out", tmp_path / "o", "--logdir", tmp_path / "logs", "--dataset-option", "seed=3"
    )
    assert code == 0, err
    assert out == ""
    assert f"Model:    {tmp_path}/o/tiny-net.keras (636 parameters" in err
    assert re.search(r"Accuracy: \d+\.\d\d% on 40 test samples", err)
    assert f"tensorboard --logdir {tmp_path}/logs" in err
    assert (
        f"edgerig compile {tmp_path}/o/tiny-net.keras --to int8 --dataset rigparts:Patterns --dataset-option seed=3"
        in err
    )
    assert (tmp_path / "o" / "tiny-net.keras.json").is_file()
    assert list((tmp_path / "logs").iterdir())


@pytest.mark.slow
def test_a_training_that_diverged_is_told_beside_the_accuracy(run, tmp_path):
    """Cross-entropy is bounded, so that it stays a number whatever the weights are."""
    code, _, err = run("--epochs", 1, "--learning-rate", 1e9, "--out", tmp_path)
    assert code == 0, err
    lines = err.splitlines()
    beside = lines[next(i for i, line in enumerate(lines) if line.startswith("Accuracy:")) + 1]
    assert beside.startswith("(!)")
    assert "guess" in beside
    assert "has the training diverged?" in beside
    description = json.loads((tmp_path / "tiny-net.keras.json").read_text())
    assert description["origins"][0]["options"]["warning"] in beside


def test_json_is_one_document_with_accuracy_parameters_and_the_artifact(run, tmp_path):
    code, out, _ = run("--epochs", 1, "--out", tmp_path, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["path"] == str(tmp_path / "tiny-net.keras")
    assert document["description"] == str(tmp_path / "tiny-net.keras.json")
    assert document["parameters"] == 636
    assert document["test_samples"] == 40
    assert 0 <= document["accuracy"] <= 1
    assert document["artifact"]["origins"][0]["options"]["train_settings"]["epochs"] == 1


@pytest.mark.slow
def test_every_training_option_reaches_the_settings(run, tmp_path):
    given = {
        "epochs": 1,
        "batch_size": 16,
        "learning_rate": 0.002,
        "learning_rate_decay": 0.5,
        "seed": 9,
        "train_samples": 32,
    }
    assert given.keys() == {*TrainSettings.__struct_fields__}
    words = [word for key, value in given.items() for word in (f"--{key.replace('_', '-')}", value)]
    code, out, err = run(*words, "--out", tmp_path, "--json")
    assert code == 0, err
    assert json.loads(out)["artifact"]["origins"][0]["options"]["train_settings"] == given


def test_defaults_in_the_help_are_those_of_the_settings():
    for name in TrainSettings.__struct_fields__:
        option = next(option for option in command.params if option.name == name)
        default = getattr(TrainSettings(), name)
        assert f"[default: {'all' if default is None else default}]" in option.help


def test_every_option_has_a_help_text():
    assert all(option.help for option in command.params if isinstance(option, click.Option))


@pytest.mark.slow
def test_resume_goes_on_and_is_refused_for_other_settings(run, tmp_path):
    assert run("--epochs", 1, "--out", tmp_path)[0] == 0
    code, _, err = run("--epochs", 2, "--out", tmp_path, "--resume")
    assert code == 0
    assert "Resuming after epoch 1 of 2" in err
    code, _, err = run("--epochs", 2, "--out", tmp_path, "--resume", "--seed", 5)
    assert code == 2
    assert "seed was 1, is 5" in err


def test_dataset_root_is_the_dataset_s_setting_root(run, tmp_path):
    code, out, err = run("--epochs", 1, "--out", tmp_path, "--dataset-root", tmp_path / "photos", "--json")
    assert code == 0, err
    assert json.loads(out)["artifact"]["origins"][0]["options"]["dataset_settings"]["root"] == str(tmp_path / "photos")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mnist-cn", "--dataset", "mnist"], "Did you mean 'mnist-cnn'?"),
        (["mnist-cnn", "--dataset", "mnits"], "Did you mean 'mnist'?"),
        (["mnist-cnn", "--dataset", "mnist", "--dataset-option", "ful=true"], "Did you mean 'full'?"),
        (["mobilenetv2", "--dataset", "mnist", "--model-option", "alhpa=1"], "Did you mean 'alpha'?"),
        (["mnist-cnn", "--dataset", "mnist", "--model-option", "alpha"], "write it as key=value"),
        (["mnist-cnn", "--dataset", "mnist", "--dataset-root", "x"], "'root'"),
        (["mnist-cnn", "--dataset", "mnist", "--learning-rate", "nan"], "--learning-rate"),
        (["mnist-cnn", "--dataset", "mnist", "--epochs", "-1"], "--epochs"),
        (["mnist-cnn"], "--dataset"),
        (["mnist-cnn", "--dataset", "random"], "random"),
    ],
)
def test_a_wrong_call_is_one_message_and_exit_code_2(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["train", *words])
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert caught.value.code == 2
    assert not list(tmp_path.iterdir())


def test_help_needs_no_engine_and_shows_examples():
    result = click.testing.CliRunner().invoke(cli, ["train", "--help"])
    assert result.exit_code == 0
    assert "edgerig train mnist-cnn --dataset mnist --epochs 3 --out runs/train" in result.output


@pytest.mark.slow
def test_digits_reach_97_percent_in_the_demo_setting(tmp_path):
    """In a process of its own, whose XLA optimizes some: with 10,000 samples that pays."""
    words = ["train", "mnist-cnn", "--dataset", "mnist", "--epochs", "3", "--out", str(tmp_path), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "edgerig", *words],
        env={**os.environ, "XLA_FLAGS": QUICK_TO_TRAIN},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["accuracy"] >= 0.97
    assert document["parameters"] == 93_322
