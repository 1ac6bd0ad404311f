from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.needs import need_torch

from edgerig.runtimes.torch import Torch
from edgerig.testing.contracts.runtime import RuntimeContract

need_torch()


@pytest.fixture(scope="session")
def torch_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from torch import nn

    from edgerig.models.torch.engine import deterministic
    from edgerig.models.torch.files import program_of, save_program

    with deterministic(1):
        network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4 * 3, 5))
    path = tmp_path_factory.mktemp("program") / "net.pt2"
    save_program(program_of(network, (1, 2, 6, 5)), path)
    return path


class TestTorch(RuntimeContract):
    @pytest.fixture
    def runtime(self):
        with Torch() as runtime:
            yield runtime

    @pytest.fixture
    def network(self, torch_program):
        return torch_program

    @pytest.fixture
    def wrong_network(self, tmp_path):
        path = tmp_path / "wrong.pt2"
        path.write_bytes(b"PK\x03\x04 not a program")
        return path

    def reference(self, path, inputs):
        import torch

        module = torch.export.load(path).module()
        (samples,) = inputs
        with torch.no_grad():
            return [np.concatenate([module(torch.from_numpy(sample[None])).numpy() for sample in samples])]
