from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.needs import need_torch

from edgerig.errors import ModelError
from edgerig.models.base import TrainSettings
from edgerig.models.training.phase import Phase
from edgerig.testing.contracts.model import ModelContract

need_torch()
ONE = TrainSettings(epochs=1, batch_size=64)


class TestTorchNet(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def wrapper(cls):
        from tests.models.torch.conftest import TorchNet

        return TorchNet()

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, wide_patterns):
        return wide_patterns


def test_frozen_layers_stay_as_they_were_their_statistics_too(torch_net, wide_patterns, tmp_path, monkeypatch):
    from torch import nn

    from edgerig.models.torch.files import load_program

    weights = {}
    for rate in (0.01, 1e-9):
        phase = Phase(1, rate, learns=lambda layer: isinstance(layer, nn.Linear))
        monkeypatch.setattr(torch_net, "phases", lambda settings, phase=phase: (phase,))
        artifact = torch_net.train(wide_patterns, ONE, tmp_path)
        weights[rate] = load_program(Path(artifact.path)).state_dict
    for name, value in weights[0.01].items():
        same = np.array_equal(value.numpy(force=True), weights[1e-9][name].numpy(force=True))
        assert same == ("5." not in name), name


def test_stored_accuracy_is_that_of_the_stored_file_fed_channels_first(trained_torch, wide_patterns):
    from edgerig.runtimes.torch import Torch

    _, artifact = trained_torch
    (spec,) = artifact.inputs
    assert (spec.shape, spec.layout) == ((1, 3, 12, 10), "nchw")
    test = wide_patterns.split("test")
    inputs = np.moveaxis(test.inputs(slice(None), artifact.preprocessing), -1, 1)
    with Torch() as runtime:
        runtime.load(Path(artifact.path))
        (outputs,) = runtime.run([inputs]).outputs
    options = artifact.origins[-1].options
    assert options["accuracy"] == np.mean(outputs.argmax(-1) == test.labels) > 0.25
    assert options["loss"] == pytest.approx(-np.log(outputs[np.arange(40), test.labels]).mean(), rel=1e-5)
    assert options["parameters"] == 3 * 4 * 9 + 4 + 8 + 80 * 4 + 4


def test_a_wild_learning_rate_is_a_model_error(torch_net, wide_patterns, tmp_path):
    with pytest.raises(ModelError, match=r"learning rate 1e\+38"):
        torch_net.train(wide_patterns, TrainSettings(epochs=2, learning_rate=1e38), tmp_path)
    assert not (tmp_path / "torch-net.pt2").exists()


def test_no_epoch_makes_an_untrained_network_without_an_accuracy(torch_net, wide_patterns, tmp_path):
    artifact = torch_net.train(wide_patterns, TrainSettings(epochs=0), tmp_path)
    assert artifact.untrained
    assert "accuracy" not in artifact.origins[-1].options
    assert sorted(path.name for path in tmp_path.iterdir()) == ["torch-net.pt2", "torch-net.pt2.json"]


def test_the_callers_random_state_and_settings_are_left_alone(torch_net, wide_patterns, tmp_path):
    import torch

    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    torch_net.train(wide_patterns, ONE, tmp_path)
    assert torch.equal(torch.rand(2), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_importing_the_base_of_networks_imports_no_pytorch():
    code = (
        "import edgerig.models.torch.base, edgerig.runtimes.torch, edgerig.compilers.torch_to_tflite, sys\n"
        "print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
