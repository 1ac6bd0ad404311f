"""The dataset ``stored``: a version of a dataset in a store, named by its address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import SPLITS, Dataset, Samples, SplitName
from edgerig.datasets.image_settings import ImageSettings
from edgerig.datasets.stored.fetch import Wanted, fetch
from edgerig.datasets.stored.pin import Pinned, pin
from edgerig.datasets.stored.samples import StoredImages, check_stored_images
from edgerig.datasets.stored.splits import split_entries
from edgerig.errors import DatasetError
from edgerig.progress import Progress
from edgerig.store import DatasetAddress, Entry, parse_address
from edgerig.store.types import Sha256
from edgerig.text import counted


class StoredSettings(ImageSettings, frozen=True, kw_only=True):
    """Settings of ``stored``."""

    address: Annotated[
        str, msgspec.Meta(description="s3://bucket/prefix/NAME@N, or FOLDER/NAME@N; without @N the newest version")
    ]
    sha256: Annotated[
        Sha256 | None, msgspec.Meta(description="hash of the version's file, which it must have: a run writes it down")
    ] = None
    size: Annotated[int, msgspec.Meta(description="height and width to resize to, in pixels", ge=1)] = 96
    channels: Annotated[Literal[1, 3], msgspec.Meta(description="1 for grey, 3 for RGB")] = 3
    validation: Annotated[float, msgspec.Meta(description="share of each class to validate with", ge=0, lt=1)] = 0.1
    test: Annotated[float, msgspec.Meta(description="share of each class to test with", gt=0, lt=1)] = 0.2


class Stored(Dataset):
    """Pictures of a version in a store, fetched into the cache by their content.

    A rig file or command names it by its address alone: ``dataset: s3://lab/street@7``. Without a number the newest
    version is settled on when the run begins, and the bundle says which.
    """

    name: ClassVar[str] = "stored"
    summary: ClassVar[str] = "a version of a dataset in object storage or a folder: s3://lab/street@7"
    extra: ClassVar[str | None] = "store,images"
    modules: ClassVar[tuple[str, ...]] = ("obstore", "PIL")
    Settings: ClassVar[type[plugins.Settings]] = StoredSettings

    settings: StoredSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._pinned: Pinned | None = None
        self._call_itself(self.settings.address)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._pin().version.classes

    @property
    def preprocessing(self) -> Preprocessing:
        return self.settings.preprocessing(self.settings.size)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.settings.size, self.settings.size, self.settings.channels)

    def pinned(self) -> Mapping[str, Any]:
        pinned = self._pin()
        return {"address": pinned.address, "sha256": pinned.version.sha256}

    @classmethod
    def unpinned(cls, options: Mapping[str, Any]) -> Mapping[str, Any]:
        address = parse_address(str(options.get("address", "")))
        rest = {key: value for key, value in options.items() if key != "sha256"}
        return {**rest, "address": str(DatasetAddress(address.store, address.name))}

    def _pin(self) -> Pinned:
        """The version, settled once."""
        if self._pinned is None:
            self.require()
            self._pinned = pin(self.settings.address, self.settings.sha256)
            settled = {"address": self._pinned.address, "sha256": self._pinned.version.sha256}
            self.settings = msgspec.structs.replace(self.settings, **settled)
            self._call_itself(self._pinned.address)
        return self._pinned

    def _call_itself(self, address: str) -> None:
        """Let messages and results name the dataset by its address."""
        self.name = address  # type: ignore[misc]  # one instance's own

    def _prepare(self, progress: Progress) -> None:
        pinned = self._pin()
        entries = [entry for entry in pinned.version.entries if entry.label is not None]
        if not entries:
            raise DatasetError(
                f"No picture of {pinned.address} has a label.", "Label them: edgerig label, or edgerig data import."
            )
        if len(self.classes) < 2:
            raise DatasetError(f"{pinned.address} has one class only, {self.classes[0]!r}.", "Label a second one.")
        left_out = len(pinned.version.entries) - len(entries)
        if left_out:
            progress.log(f"{pinned.address}: {counted(left_out, 'file')} without a label, not used")
        self._entries = split_entries(entries, self.settings.test, self.settings.validation)
        used = [entry for split in SPLITS for entry in self._entries[split]]
        paths = fetch(pinned, [Wanted(entry.sha256, entry.size, entry.name) for entry in used], progress)
        self._paths = {entry.name: path for entry, path in zip(used, paths, strict=True)}
        check_stored_images({self._paths[entry.name]: entry.name for entry in used}, progress)

    def _split(self, name: SplitName) -> Samples:
        return self._samples(self._entries[name])

    def _samples(self, entries: Sequence[Entry]) -> Samples:
        paths = [self._paths[entry.name] for entry in entries]
        numbers = {label: number for number, label in enumerate(self.classes)}
        labels = [numbers[entry.label or ""] for entry in entries]
        return StoredImages(paths, labels, [entry.name for entry in entries], self.settings.channels)
