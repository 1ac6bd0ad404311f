"""What another interpreter needs of this one: edgerig's own source, and the modules of the user's; no other package."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from edgerig import files
from edgerig.errors import storing

#: The package itself.
PACKAGE = Path(__file__).parent.parent
#: Files of the installation that name edgerig's plugins and its version.
_DESCRIPTION = ("METADATA", "entry_points.txt")


def module_path() -> str:
    """``PYTHONPATH`` for an interpreter that is not this one: edgerig, and where the user's own modules lie.

    Packages of this interpreter are not on it: they may be of another version, or compiled for another one.
    """
    return os.pathsep.join([str(source_folder()), *map(str, own_folders())])


def own_folders() -> Iterator[Path]:
    """The folders on this interpreter's path that neither are Python's own, nor hold installed packages, nor edgerig:
    where modules of the user's lie."""
    standard = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
    programs = {Path(sysconfig.get_path("scripts")).resolve(), PACKAGE.parent.resolve()}
    for entry in sys.path:
        path = Path(entry).absolute()
        if path.name in ("site-packages", "dist-packages") or not path.is_dir():
            continue
        whole = path.resolve()
        if whole not in programs and not any(whole.is_relative_to(folder) for folder in standard):
            yield path


def source_folder() -> Path:
    """A folder in the cache with edgerig alone: a link to its package, and what tells of its plugins.

    Where edgerig is installed among other packages, putting its own folder on the path would bring those along.
    """
    from importlib import metadata

    described = _description()
    key = files.digest([str(PACKAGE.resolve()), sorted(described.items())])[:16]
    folder = files.cache_folder() / "engines" / "source" / key
    if (folder / "edgerig" / "__init__.py").is_file():
        return folder
    with storing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = folder.parent / f".{key}.{secrets.token_hex(4)}.tmp"
        work.mkdir()
        try:
            (work / "edgerig").symlink_to(PACKAGE.resolve(), target_is_directory=True)
            about = work / f"edgerig-{metadata.version('edgerig')}.dist-info"
            about.mkdir()
            for name, text in described.items():
                (about / name).write_text(text, encoding="utf-8")
            # A link that leads nowhere any more, or another process that made the same.
            if folder.is_dir() and not (folder / "edgerig" / "__init__.py").is_file():
                shutil.rmtree(folder)
            if not folder.is_dir():
                work.rename(folder)
        except OSError:
            if not (folder / "edgerig" / "__init__.py").is_file():
                raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return folder


@lru_cache(maxsize=1)
def _description() -> dict[str, str]:
    # Imported here: whatever starts a process for a network would take its time.
    from importlib import metadata

    distribution = metadata.distribution("edgerig")
    return {name: distribution.read_text(name) or "" for name in _DESCRIPTION}
