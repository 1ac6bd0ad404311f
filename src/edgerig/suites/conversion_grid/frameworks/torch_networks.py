"""Networks of PyTorch for the grid: one for each way in which exports are known to break."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class TorchNetwork(NamedTuple):
    """A network.

    Attributes:
        about: What is special about it.
        build: PyTorch to a module.
        shapes: Of its inputs, the batch of 1 included.
        whole: Positions of inputs that are indices.
        free_batch: Its batch may be of any size in the file.
    """

    about: str
    build: Callable[[Any], Any]
    shapes: tuple[tuple[int, ...], ...]
    whole: tuple[int, ...] = ()
    free_batch: bool = False


_IMAGE = ((1, 4, 16, 16),)
_SEQUENCE = ((1, 10, 6),)


def mlp(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(nn.Linear(12, 16), nn.GELU(), nn.Linear(16, 5), nn.Softmax(-1))


def cnn(torch: Any) -> Any:
    nn = torch.nn
    first = [nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(
        *first, nn.Conv2d(8, 8, 3, 2), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    )


def depthwise(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(4, 8, 5, padding=2, groups=4), nn.ReLU6(), nn.Conv2d(8, 6, 1), nn.SiLU())


def grouped(torch: Any) -> Any:
    return torch.nn.Conv2d(4, 6, 3, groups=2)


def dilated(torch: Any) -> Any:
    return torch.nn.Sequential(torch.nn.Conv2d(4, 5, 3, padding=3, dilation=3), torch.nn.Tanh())


def transposed(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(4, 4, 3, 2, 1), nn.ConvTranspose2d(4, 5, 3, 2, 1, output_padding=1))


def grown(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(4, 4, 3), nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), nn.PixelShuffle(2)
    )


def lstm(torch: Any) -> Any:
    return _last_step(torch, torch.nn.LSTM(6, 8, batch_first=True, bidirectional=True), 16)


def gru(torch: Any) -> Any:
    return _last_step(torch, torch.nn.GRU(6, 8, num_layers=2, batch_first=True), 8)


def _last_step(torch: Any, cell: Any, width: int) -> Any:
    class LastStep(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = cell, torch.nn.Linear(width, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.cell(x)[0][:, -1])

    return LastStep()


def attention(torch: Any) -> Any:
    return torch.nn.TransformerEncoderLayer(6, 2, 12, dropout=0.0, batch_first=True)


def embedding(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(nn.Embedding(10, 8), nn.LayerNorm(8), nn.Flatten(), nn.Linear(48, 4))


def indexing(torch: Any) -> Any:
    class Indexing(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            picked = torch.gather(x, 1, torch.argsort(x.detach(), 1)[:, :3])
            return torch.einsum("bij,bkj->bik", picked, x) + torch.roll(x, 1, 2).mean()

    return Indexing()


def branch(torch: Any) -> Any:
    class Branch(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(12, 4)

        def forward(self, x: Any) -> Any:
            y = self.head(x)
            return torch.cond(y.sum() > 0, lambda value: value * 2.0, lambda value: value - 1.0, (y,))

    return Branch()


NETWORKS: Mapping[str, TorchNetwork] = {
    "mlp": TorchNetwork("dense layers, GELU, softmax", mlp, ((1, 12),)),
    "cnn": TorchNetwork("convolutions, batch normalization, adaptive pooling", cnn, _IMAGE),
    "dynamic-batch": TorchNetwork("a batch of any size", cnn, _IMAGE, free_batch=True),
    "depthwise": TorchNetwork("depthwise with a multiplier, SiLU", depthwise, _IMAGE),
    "grouped": TorchNetwork("a convolution in groups", grouped, _IMAGE),
    "dilated": TorchNetwork("a convolution with holes", dilated, _IMAGE),
    "transposed": TorchNetwork("a transposed convolution with output padding", transposed, _IMAGE),
    "grown": TorchNetwork("bilinear growth, pixels out of channels", grown, _IMAGE),
    "lstm": TorchNetwork("a loop in both directions", lstm, _SEQUENCE),
    "gru": TorchNetwork("two loops", gru, _SEQUENCE),
    "attention": TorchNetwork("a layer of a transformer", attention, _SEQUENCE),
    "embedding": TorchNetwork("whole numbers as input", embedding, ((1, 6),), whole=(0,)),
    "indexing": TorchNetwork("sorting, gathering, einsum, rolling", indexing, ((1, 5, 6),)),
    "branch": TorchNetwork("a branch on a value", branch, ((1, 12),)),
}
