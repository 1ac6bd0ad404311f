"""Small datasets in the formats that loaders read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("EDGERIG_CACHE", str(folder))
    return folder


def save_picture(path: Path, seed: int, height: int = 12, width: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)


MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Makes ``root/<class>/<image>`` with so many images of each class."""

    def make(count: int = 10, classes: tuple[str, ...] = ("cat", "dog", "emu"), root: str = "pictures") -> Path:
        for label, name in enumerate(classes):
            for i in range(count):
                # Sizes differ, as those of photographs do.
                save_picture(tmp_path / root / name / f"{i:03}.png", 100 * label + i, 12 + i % 3, 16 + label)
        return tmp_path / root

    return make


@pytest.fixture
def pet_root(tmp_path: Path) -> Path:
    """A small tree in the format of Oxford-IIIT Pet: three breeds, 6 trainval and 3 test images of each."""
    root = tmp_path / "pet"
    lists: dict[str, list[str]] = {"trainval": ["# Image CLASS-ID SPECIES BREED ID"], "test": []}
    for label, (breed, species) in enumerate((("Abyssinian", 1), ("american_bulldog", 2), ("Bengal", 1)), 1):
        for number in range(1, 10):
            name = f"{breed}_{number}"
            save_picture(root / "images" / f"{name}.jpg", 50 * label + number, 20 + number, 30)
            lists["trainval" if number <= 6 else "test"].append(f"{name} {label} {species} 1")
    (root / "annotations").mkdir()
    for split, lines in lists.items():
        (root / "annotations" / f"{split}.txt").write_text("\n".join(lines) + "\n")
    return root
