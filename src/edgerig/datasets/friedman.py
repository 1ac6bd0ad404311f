"""Friedman's function of five of ten random numbers (Friedman, 1991, Multivariate Adaptive Regression Splines)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import SPLITS, Dataset, SplitName
from edgerig.datasets.samples import ArraySamples
from edgerig.progress import Progress
from edgerig.tasks.samples import TargetVariable

#: Numbers of a sample, of which the first five matter.
NUMBERS = 10
#: Uniform numbers whose sum, less half as many, has about the distribution and exactly the variance of a normal one.
SUMMED = 12


class FriedmanSettings(plugins.Settings, frozen=True, kw_only=True):
    """Settings of ``friedman``."""

    train: Annotated[int, msgspec.Meta(description="training samples", ge=2)] = 4000
    validation: Annotated[int, msgspec.Meta(description="samples to validate with", ge=2)] = 500
    test: Annotated[int, msgspec.Meta(description="test samples", ge=2)] = 1000
    noise: Annotated[float, msgspec.Meta(description="standard deviation of what is added to the target", ge=0)] = 1.0
    seed: Annotated[int, msgspec.Meta(description="equal seeds give equal samples everywhere", ge=0)] = 0


class Friedman(Dataset):
    """A regression that is generated: ten numbers from 0 to 1, one target, from about 0 to 30."""

    name: ClassVar[str] = "friedman"
    summary: ClassVar[str] = "regression: Friedman's function of ten random numbers, with noise; generated"
    task: str = "regression"
    Settings: ClassVar[type[plugins.Settings]] = FriedmanSettings

    settings: FriedmanSettings

    @property
    def classes(self) -> tuple[str, ...]:
        return ()

    @property
    def targets(self) -> tuple[TargetVariable, ...]:
        return (TargetVariable("y"),)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (NUMBERS,)

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing()

    def _prepare(self, progress: Progress) -> None:
        return None

    def _split(self, name: SplitName) -> ArraySamples:
        settings = self.settings
        count = {"train": settings.train, "validation": settings.validation, "test": settings.test}[name]
        # The raw stream of PCG64 is the same in every version of numpy.
        words = np.random.PCG64([settings.seed, SPLITS.index(name)]).random_raw(count * (NUMBERS + SUMMED))
        uniform = (np.asarray(words, np.uint64) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        uniform = uniform.reshape(count, NUMBERS + SUMMED)
        inputs = uniform[:, :NUMBERS].astype(np.float32)
        noise = uniform[:, NUMBERS:].sum(axis=1) - SUMMED / 2
        return ArraySamples(inputs, None, (function(inputs) + settings.noise * noise)[:, None])


def function(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """``10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 + 10 x4 + 5 x5`` for numbers of shape (n, 10); shape (n,).

    >>> [round(float(value), 4) for value in function(np.array([[0.5] * 10, [1.0] * 10], np.float32))]
    [14.5711, 20.0]
    """
    first, second, third, fourth, fifth = x[:, :5].astype(np.float64).T
    product = 10 * np.sin(np.pi * first * second)
    return np.asarray(product + 20 * (third - 0.5) ** 2 + 10 * fourth + 5 * fifth)
