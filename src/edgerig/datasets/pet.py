"""Oxford-IIIT Pet: photographs of 37 breeds of cats and dogs (Parkhi, Vedaldi, Zisserman and Jawahar, 2012)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

import msgspec

from edgerig import plugins
from edgerig.datasets.base import SplitName
from edgerig.datasets.image_files import ImageFiles
from edgerig.datasets.image_settings import ImageSettings
from edgerig.datasets.images import image_samples
from edgerig.datasets.mask_files import MaskedFiles
from edgerig.datasets.masks import USUAL_IGNORE
from edgerig.datasets.samples import FileSamples
from edgerig.datasets.sources import Source
from edgerig.datasets.sources.archives import unpacked
from edgerig.datasets.splits import split_by_name
from edgerig.errors import DatasetError, SpecError
from edgerig.progress import Progress

#: Where its authors have it, with their SHA-256.
_AT = "https://www.robots.ox.ac.uk/~vgg/data/pets/data"
ARCHIVES = (
    Source(f"{_AT}/annotations.tar.gz", "52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91"),
    Source(f"{_AT}/images.tar.gz", "67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d"),
)
#: The folders in them.
FOLDERS = ("annotations", "images")

HOW_TO_GET = (
    "`download: true` (--dataset-option download=true) fetches it, 811 MB. Or download images.tar.gz and "
    "annotations.tar.gz from https://www.robots.ox.ac.uk/~vgg/data/pets/, unpack both into one folder, and give that "
    "folder with --dataset-root (in a rig file: dataset: {use: pet, root: FOLDER})."
)

#: Values of a trimap's pixels; the border, some pixels wide, is of neither.
FOREGROUND, BACKGROUND, BORDER = 1, 2, 3
#: Classes of the masks, and the number of the pet's.
MASK_CLASSES, PET = ("background", "pet"), 1


class PetSettings(ImageSettings, frozen=True, kw_only=True):
    """Settings of ``pet``."""

    root: Annotated[
        str | None, msgspec.Meta(description="folder that holds the dataset's folders images and annotations")
    ] = None
    download: Annotated[
        bool, msgspec.Meta(description="fetch the dataset from its authors (811 MB) and keep it in the cache folder")
    ] = False
    size: Annotated[int, msgspec.Meta(description="height and width to resize to, in pixels", ge=1)] = 96
    trimaps: Annotated[
        bool,
        msgspec.Meta(
            description="for segmentation: which pixels show the pet, out of annotations/trimaps, in place of breeds"
        ),
    ] = False
    border: Annotated[
        Literal["ignore", "pet", "class"],
        msgspec.Meta(
            description="what the border around a pet in a trimap is: not judged, part of the pet, or a class of its "
            "own"
        ),
    ] = "ignore"
    validation: Annotated[
        float, msgspec.Meta(description="share of each breed's trainval images to validate with", ge=0, lt=1)
    ] = 0.1


class Entry(NamedTuple):
    """One line of a list: the image's name without suffix, and its breed, counted from 0."""

    image: str
    label: int

    @property
    def breed(self) -> str:
        """The breed's name, which is the image's without its number."""
        return self.image.rpartition("_")[0]


class Pet(ImageFiles):
    """Photographs of 37 breeds, in the dataset's own format: ``annotations/{trainval,test}.txt``, ``images/*.jpg``.

    With ``trimaps``, or the task segmentation, masks in ``annotations/trimaps/*.png`` say which pixels show the pet.
    """

    name: ClassVar[str] = "pet"
    summary: ClassVar[str] = (
        "Oxford-IIIT Pet, photographs of 37 breeds of cats and dogs; --dataset-root, or download: true"
    )
    Settings: ClassVar[type[plugins.Settings]] = PetSettings

    settings: PetSettings

    def __init__(self, settings: PetSettings | None = None) -> None:
        super().__init__(settings)
        if self.settings.trimaps:
            self.task = "segmentation"

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.settings.size, self.settings.size, 3)

    def _prepare(self, progress: Progress) -> None:
        root = self._root(progress)
        trainval = read_list(root / "annotations" / "trainval.txt")
        test = read_list(root / "annotations" / "test.txt")
        self._classes = _breeds(trainval, test)
        train, validation = self._cut(trainval)
        lists: dict[SplitName, list[Entry]] = {"train": train, "validation": validation, "test": test}
        if self.task != "segmentation":
            images = root / "images"
            self._hold({split: _samples(images, entries) for split, entries in lists.items()}, progress)
            return
        self._classes = (*MASK_CLASSES, "border") if self.settings.border == "class" else MASK_CLASSES
        self._hold({split: self._masked(root, entries) for split, entries in lists.items()}, progress)

    def _root(self, progress: Progress) -> Path:
        """The folder with its files, fetched if that is wanted."""
        if self.settings.root is not None:
            if self.settings.download:
                raise SpecError(
                    "Dataset 'pet' is to be fetched, and lies in a folder: 'download' and 'root' are both given.",
                    "Leave one out; what was fetched is found again in the cache folder.",
                )
            return Path(self.settings.root).expanduser()
        if not self.settings.download:
            raise DatasetError("Dataset 'pet' is in no package; it needs to know where it lies.", HOW_TO_GET)
        return unpacked("oxford-iiit-pet", ARCHIVES, FOLDERS, progress)

    def _masked(self, root: Path, entries: list[Entry]) -> MaskedFiles:
        """Photographs with their trimaps."""
        masks = [root / "annotations" / "trimaps" / f"{entry.image}.png" for entry in entries]
        missing = next((path for path in masks if not path.is_file()), None)
        if missing is not None:
            raise DatasetError(f"There is no trimap {missing}.", HOW_TO_GET)
        border = {"ignore": USUAL_IGNORE, "pet": PET, "class": PET + 1}[self.settings.border]
        values = {FOREGROUND: PET, BACKGROUND: 0, BORDER: border}
        return MaskedFiles(_paths(root / "images", entries), masks, 3, len(self._classes), values=values)

    def _cut(self, trainval: list[Entry]) -> tuple[list[Entry], list[Entry]]:
        """Split validation off, the same share of each breed, by the hash of the images' names."""
        train: list[Entry] = []
        validation: list[Entry] = []
        for label, breed in enumerate(self._classes):
            own = [entry for entry in trainval if entry.label == label]
            if len(own) < 2 and self.settings.validation > 0:
                raise DatasetError(
                    f"Class {breed!r} has one image in trainval.txt, too few to train and validate.",
                    "Set validation to 0, or use the whole dataset.",
                )
            training, chosen = split_by_name([entry.image for entry in own], [self.settings.validation])
            train += [own[i] for i in training]
            validation += [own[i] for i in chosen]
        return train, validation


def read_list(path: Path) -> list[Entry]:
    """The entries of ``trainval.txt`` or ``test.txt``: image, breed from 1, species, breed within the species.

    Raises:
        DatasetError: The file is missing, empty or malformed; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DatasetError(f"Cannot read {path}: {error.strerror}.", HOW_TO_GET) from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not a text file.", HOW_TO_GET) from error
    entries = []
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or line.startswith("#"):
            continue
        image = fields[0]
        if len(fields) != 4 or not fields[1].isdecimal() or int(fields[1]) < 1 or "_" not in image or "/" in image:
            raise DatasetError(
                f"{path}, line {number}: {line.strip()!r} is not 'Name_number class species breed'.", HOW_TO_GET
            )
        entries.append(Entry(image, int(fields[1]) - 1))
    if not entries:
        raise DatasetError(f"{path} lists no images.", HOW_TO_GET)
    return entries


def _breeds(trainval: list[Entry], test: list[Entry]) -> tuple[str, ...]:
    """Names of the breeds in label order.

    Raises:
        DatasetError: A breed has two names, or no images in one of the lists.
    """
    names: dict[int, str] = {}
    for entry in (*trainval, *test):
        if names.setdefault(entry.label, entry.breed) != entry.breed:
            raise DatasetError(
                f"Class {entry.label + 1} is called {names[entry.label]!r} and {entry.breed!r}.", HOW_TO_GET
            )
    for label in range(max(names) + 1):
        for entries, where in ((trainval, "trainval.txt"), (test, "test.txt")):
            if not any(entry.label == label for entry in entries):
                name = f" ({names[label]})" if label in names else ""
                raise DatasetError(f"Class {label + 1}{name} is empty: {where} lists no image of it.", HOW_TO_GET)
    return tuple(names[label] for label in range(len(names)))


def _samples(images: Path, entries: list[Entry]) -> FileSamples:
    return image_samples(_paths(images, entries), [entry.label for entry in entries], 3)


def _paths(images: Path, entries: list[Entry]) -> list[Path]:
    return [images / f"{entry.image}.jpg" for entry in entries]
