"""Proxies of progress and datasets in the child: the objects stay in the program, which answers requests about them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset, Samples
from edgerig.progress import Progress, Task

#: Sends a request, its name and arguments, to the program and returns the answer.
Ask = Callable[..., Any]


class RequestPickler(pickle.Pickler):
    """Pickles a call for the child; progress, datasets and samples become references to ``kept``."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.kept: list[Any] = []

    def persistent_id(self, obj: Any) -> Any:
        """The reference that replaces an object that stays in the program."""
        if isinstance(obj, Progress):
            return "progress", self._keep(obj)
        if isinstance(obj, Dataset):
            about = {
                "name": obj.name,
                "task": obj.task,
                "classes": obj.classes,
                "preprocessing": obj.preprocessing,
                "settings": msgspec.to_builtins(obj.settings),
            }
            return "dataset", self._keep(obj), about
        if isinstance(obj, Samples):
            return "samples", self._keep(obj), obj.labels
        return None

    def _keep(self, obj: Any) -> int:
        self.kept.append(obj)
        return len(self.kept) - 1


class RequestUnpickler(pickle.Unpickler):
    """Unpickles the call in the child."""

    def __init__(self, file: io.BytesIO, ask: Ask) -> None:
        super().__init__(file)
        self._ask = ask

    def persistent_load(self, pid: Any) -> Any:
        """The proxy of an object that stayed in the program."""
        kind, key, *about = pid
        if kind == "progress":
            return RemoteProgress(self._ask, key)
        if kind == "dataset":
            return RemoteDataset(self._ask, key, about[0])
        return RemoteSamples(self._ask, key, about[0])


class RemoteProgress(Progress):
    """Reports progress to the program."""

    def __init__(self, ask: Ask, key: int) -> None:
        self._ask, self._key = ask, key

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        ask, number = self._ask, self._ask("task", self._key, name, total)

        class Told(Task):
            def advance(self, steps: int = 1, note: str | None = None) -> None:
                super().advance(steps, note)
                ask("advance", number, steps, note)

        try:
            yield Told(name, total)
        finally:
            ask("end", number)

    def log(self, message: str) -> None:
        self._ask("log", self._key, message)


class RemoteSamples(Samples):
    """Samples that stay in the program."""

    def __init__(self, ask: Ask, key: int, labels: NDArray[np.int64]) -> None:
        self._ask, self._key, self.labels = ask, key, labels

    @property
    def fingerprint(self) -> str:  # type: ignore[override]  # asked for when needed
        return str(self._ask("fingerprint", self._key))

    def raw(self, index: int) -> NDArray[np.generic]:
        sample: NDArray[np.generic] = self._ask("raw", self._key, int(index))
        return sample

    def inputs(self, indices: NDArray[np.int64] | slice, preprocessing: Preprocessing) -> NDArray[np.float32]:
        batch: NDArray[np.float32] = self._ask("inputs", self._key, indices, preprocessing)
        return batch

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]  # asked for when needed
        return tuple(self._ask("names", self._key))

    @property
    def windows(self) -> NDArray[np.int64] | None:  # type: ignore[override]  # asked for when needed
        counts: NDArray[np.int64] | None = self._ask("windows", self._key)
        return counts

    def named_inputs(
        self, indices: NDArray[np.int64] | slice, preprocessing: Preprocessing
    ) -> Mapping[str, NDArray[Any]]:
        batch: Mapping[str, NDArray[Any]] = self._ask("named_inputs", self._key, indices, preprocessing)
        return batch

    def truth(self, indices: NDArray[np.int64] | slice, preprocessing: Preprocessing) -> NDArray[Any]:
        right: NDArray[Any] = self._ask("truth", self._key, indices, preprocessing)
        return right

    def single_windows(self) -> Samples:
        return RemoteSamples(self._ask, *self._ask("single_windows", self._key))

    def take(self, indices: NDArray[np.int64]) -> Samples:
        return RemoteSamples(self._ask, *self._ask("take", self._key, indices))


class RemoteDataset(Dataset):
    """A dataset that stays in the program."""

    def __init__(self, ask: Ask, key: int, about: dict[str, Any]) -> None:
        super().__init__(about["settings"])
        self._ask, self._key, self._about, self._ready = ask, key, about, True
        for attribute in ("name", "task"):
            setattr(self, attribute, about[attribute])

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self._about["classes"])

    @property
    def preprocessing(self) -> Preprocessing:
        preprocessing: Preprocessing = self._about["preprocessing"]
        return preprocessing

    def _prepare(self, progress: Progress) -> None: ...

    def _split(self, name: str) -> Samples:
        return RemoteSamples(self._ask, *self._ask("split", self._key, name))
