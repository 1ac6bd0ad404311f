from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.needs import need_torch

from edgerig.measure.census import Census, family
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
    def network_of_several(self, tmp_path):
        import torch
        from torch import nn

        from edgerig.models.torch.files import save_program

        class Several(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.second = nn.Linear(14, 5), nn.Linear(6, 2)

            def forward(self, left, right):
                return self.first(torch.cat([left, right], dim=1)), self.second(right)

        path = tmp_path / "several.pt2"
        save_program(torch.export.export(Several(), (torch.zeros(1, 8), torch.zeros(1, 6))), path)
        return path

    @pytest.fixture
    def wrong_network(self, tmp_path):
        path = tmp_path / "wrong.pt2"
        path.write_bytes(b"PK\x03\x04 not a program")
        return path

    def reference(self, path, inputs):
        import torch

        module = torch.export.load(path).module()
        rows = []
        with torch.no_grad():
            for sample in zip(*inputs, strict=True):
                answer = module(*(torch.from_numpy(value[None]) for value in sample))
                rows.append([output.numpy() for output in (answer if isinstance(answer, tuple) else (answer,))])
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


def test_census_tells_the_operators_that_reached_the_dispatcher(torch_program: Path) -> None:
    with Torch() as runtime:
        runtime.load(torch_program)
        census = runtime.census([np.ones((1, 2, 6, 5), np.float32)])
    assert isinstance(census, Census)
    weighted = {family(group.op): (group.placement, group.dtype) for group in census.operators if family(group.op)}
    assert weighted == {"convolution": ("cpu", "float32"), "matrix product": ("cpu", "float32")}
