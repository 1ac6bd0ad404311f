"""Programs of torch.export, for tests."""

from __future__ import annotations

from pathlib import Path


def convolutional_pt2(path: Path) -> Path:
    """A convolution, GELU, a depthwise convolution, pooling, a dense layer: 12x12 pictures to four classes."""
    from torch import nn

    from edgerig.models.torch.engine import deterministic
    from edgerig.models.torch.files import program_of, save_program

    with deterministic(1):
        network = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(4, 4, 3, groups=4, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(4 * 6 * 6, 4),
            nn.Softmax(-1),
        )
    save_program(program_of(network, (1, 1, 12, 12)), path)
    return path


def two_in_two_out_pt2(path: Path) -> Path:
    """Two inputs of different widths, two outputs."""
    import torch
    from torch import nn

    from edgerig.models.torch.files import save_program

    class Several(nn.Module):  # type: ignore[misc]  # PyTorch has no types where it is missing
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(14, 5), nn.Linear(6, 2)

        def forward(self, left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.first(torch.cat([left, right], dim=1)), self.second(right)

    torch.manual_seed(2)
    save_program(torch.export.export(Several().eval(), (torch.zeros(1, 8), torch.zeros(1, 6))), path)
    return path
