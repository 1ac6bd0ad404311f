"""A training that is stopped, killed or gone on with ends with the same weights, bit by bit, in every framework."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.models.conftest import Patterns, TinyNet
from tests.models.torch.conftest import TorchNet
from tests.needs import need_torch

from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError, Interrupted
from edgerig.models.base import TrainSettings
from edgerig.models.keras.files import load_keras
from edgerig.models.training.base import TrainedModel
from edgerig.models.training.phase import Phase
from edgerig.progress import Progress, Task

pytestmark = pytest.mark.slow

#: Of 150 samples: 3 steps an epoch.
ONE, TWO, THREE = (TrainSettings(epochs=epochs, batch_size=64) for epochs in (1, 2, 3))
STEPS = 3


@dataclass(frozen=True)
class Framework:
    """A tiny network in one framework, with its dataset.

    ``weights`` reads them out of the network's file; ``is_head`` tells the last layer from the others.
    """

    network: type[TrainedModel]
    shape: tuple[int, int, int]
    weights: Callable[[Path], list[np.ndarray]]
    is_head: Callable[[Any], bool]

    def make(self) -> tuple[TrainedModel, Dataset]:
        return self.network(), Patterns(Patterns.Settings(shape=self.shape))


def keras_weights(path: Path) -> list[np.ndarray]:
    return [np.asarray(variable.value) for variable in load_keras(path).weights]


def torch_weights(path: Path) -> list[np.ndarray]:
    from edgerig.models.torch.files import load_program

    return [value.numpy(force=True) for value in load_program(path).state_dict.values()]


def is_linear(layer: Any) -> bool:
    from torch import nn

    return isinstance(layer, nn.Linear)


FRAMEWORKS = {
    "keras": Framework(TinyNet, (28, 28, 1), keras_weights, lambda layer: layer.name == "probabilities"),
    "torch": Framework(TorchNet, (12, 10, 3), torch_weights, is_linear),
}


@pytest.fixture(scope="module", params=FRAMEWORKS)
def framework(request):
    if request.param == "torch":
        need_torch()
    return FRAMEWORKS[request.param]


@pytest.fixture
def network(framework):
    return framework.make()[0]


@pytest.fixture
def dataset(framework):
    return framework.make()[1]


@pytest.fixture(scope="module")
def straight(framework, tmp_path_factory):
    """Three epochs, undisturbed, and what came of them."""
    out = tmp_path_factory.mktemp("straight")
    network, dataset = framework.make()
    return out, network.train(dataset, THREE, out)


class Recorded(Progress):
    """Progress that keeps the names of its tasks."""

    def __init__(self):
        self.names = []

    def task(self, name, total=None):
        self.names.append(name)
        return nullcontext(Task(name, total))


def history(folder, network):
    records = msgspec.json.decode((folder / f"{network.name}.history.json").read_bytes())["epochs"]
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def assert_equal_trainings(framework, folder, other):
    name = f"{framework.network.name}{'.pt2' if framework.network.makes == 'torch' else '.keras'}"
    for mine, theirs in zip(*(framework.weights(path / name) for path in (folder, other)), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert history(folder, framework.network) == history(other, framework.network)
    assert (folder / name).read_bytes() == (other / name).read_bytes()


def stop_at(batch):
    """An `augment` that is interrupted, as by Ctrl-C, at this batch of all epochs, counted from 1."""
    calls = 0

    def augment(self, batch_, rng):
        nonlocal calls
        calls += 1
        if calls == batch:
            raise KeyboardInterrupt
        return batch_ + rng.normal(0, 0.05, batch_.shape).astype(np.float32)

    return augment


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.models.training.test_resume import FRAMEWORKS, THREE

def die_at(number, function):
    calls = 0
    def call(*args):
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args)
    return call

framework = FRAMEWORKS[{makes!r}]
if {where!r} == "in the third epoch":
    framework.network.augment = die_at(2 * 3 + 2, framework.network.augment)
else:
    # Each epoch syncs two files to the disk before it renames them: the checkpoint and the history.
    os.fsync = die_at(5, os.fsync)
network, dataset = framework.make()
network.train(dataset, THREE, Path({out!r}))
"""


@pytest.mark.parametrize("where", ["in the third epoch", "while writing the third checkpoint"])
def test_a_killed_training_resumes_to_the_same_weights(where, straight, framework, network, dataset, tmp_path):
    root = str(Path(__file__).parents[3])
    code = KILLED.format(root=root, makes=network.makes, where=where, out=str(tmp_path))
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=240, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".keras", ".pt2")]
    progress = Recorded()
    network.train(dataset, THREE, tmp_path, resume=True, progress=progress)
    assert progress.names[0].startswith(f"Training {network.name}, epoch 3 of 3")
    assert_equal_trainings(framework, straight[0], tmp_path)


def test_three_epochs_are_equal_to_one_and_two_more_after_resuming(straight, framework, network, dataset, tmp_path):
    network.train(dataset, ONE, tmp_path)
    artifact = network.train(dataset, THREE, tmp_path, resume=True)
    assert_equal_trainings(framework, straight[0], tmp_path)
    assert artifact.sha256 == straight[1].sha256


def test_ctrl_c_keeps_the_last_checkpoint_and_says_how_to_go_on(
    straight, framework, network, dataset, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(framework.network, "augment", stop_at(2 * STEPS + 2))
        with pytest.raises(Interrupted, match="after epoch 2 of 3") as caught:
            network.train(dataset, THREE, tmp_path)
    assert "--resume" in caught.value.hint
    names = [f"{network.name}.checkpoint.npz", f"{network.name}.history.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    network.train(dataset, THREE, tmp_path, resume=True)
    assert_equal_trainings(framework, straight[0], tmp_path)


def test_ctrl_c_in_the_first_epoch_leaves_nothing(framework, network, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(framework.network, "augment", stop_at(2))
    with pytest.raises(Interrupted, match="before the end of its first epoch"):
        network.train(dataset, TWO, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_resuming_a_finished_training_trains_nothing_and_writes_the_same_file(
    straight, framework, network, dataset, tmp_path
):
    network.train(dataset, THREE, tmp_path)
    progress = Recorded()
    artifact = network.train(dataset, THREE, tmp_path, resume=True, progress=progress)
    assert [name.split()[0] for name in progress.names] == ["Evaluating"]
    assert artifact.sha256 == straight[1].sha256
    assert_equal_trainings(framework, straight[0], tmp_path)


def test_resuming_without_a_checkpoint_starts_from_the_beginning(straight, network, dataset, tmp_path):
    assert network.train(dataset, THREE, tmp_path, resume=True).sha256 == straight[1].sha256


def test_resuming_with_other_settings_is_refused_and_changes_nothing(network, dataset, tmp_path):
    network.train(dataset, ONE, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(IncompatibleError, match="batch_size was 64, is 32"):
        network.train(dataset, TrainSettings(epochs=2, batch_size=32), tmp_path, resume=True)
    others = type(dataset)(msgspec.structs.replace(dataset.settings, seed=5))
    with pytest.raises(IncompatibleError, match="train fingerprint was"):
        network.train(others, TWO, tmp_path, resume=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_resuming_to_fewer_epochs_than_there_are_is_refused(network, dataset, tmp_path):
    network.train(dataset, TWO, tmp_path)
    with pytest.raises(IncompatibleError, match="2 epochs old, more than the 1"):
        network.train(dataset, ONE, tmp_path, resume=True)


def test_phases_train_only_their_layers_and_resume_across_the_border(
    framework, network, dataset, tmp_path, monkeypatch
):
    phases = (Phase(1, 0.01, learns=framework.is_head, title="head only"), Phase(2, 0.001, title="all"))
    monkeypatch.setattr(network, "phases", lambda settings: phases)
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    progress = Recorded()
    network.train(dataset, ONE, straight, progress=progress)
    assert progress.names[0].endswith("epoch 1 of 3 (head only)")
    assert [record["learning_rate"] for record in history(straight, network)] == [0.01, 0.001, 0.001]
    for batch in (5, 4):  # in epoch 2, the first of its phase, then in epoch 3
        with monkeypatch.context() as patch:
            patch.setattr(framework.network, "augment", stop_at(batch))
            with pytest.raises(Interrupted):
                network.train(dataset, ONE, stopped, resume=True)
    network.train(dataset, ONE, stopped, resume=True)
    assert_equal_trainings(framework, straight, stopped)
