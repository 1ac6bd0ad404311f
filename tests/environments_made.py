"""Python environments for tests, with links to a few of the installed packages and nothing else."""

from __future__ import annotations

import sys
import venv
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

#: What edgerig's part of a measurement needs, and LiteRT.
AGENT = ("numpy", "msgspec")
LITERT = ("ai-edge-litert", "flatbuffers", "typing-extensions", "tqdm", "backports-strenum", "protobuf", "ml-dtypes")


def made_environment(folder: Path, packages: Sequence[str]) -> Path:
    """An environment in ``folder`` in which those of ``packages`` that are installed here are installed, too."""
    venv.create(folder, symlinks=True, with_pip=False)
    site = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    for name in packages:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        for top in {path.parts[0] for path in distribution.files or () if path.parts[0] not in ("..", "__pycache__")}:
            link = site / top
            if not link.exists():
                link.symlink_to(Path(str(distribution.locate_file(top))))
    return folder
