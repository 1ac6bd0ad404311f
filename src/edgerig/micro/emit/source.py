"""Generated C in memory, and how it gets into a folder."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgerig.errors import UsageError, storing
from edgerig.micro.emit.manifest import FORMAT, Manifest

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Source:
    """A network as C.

    Attributes:
        files: Path in the folder (``model.c``, ``kernels/x.c``) to content; manifest.json included.
        manifest: What manifest.json says.
    """

    files: dict[str, bytes]
    manifest: Manifest

    def write(self, folder: Path) -> None:
        """Put the files into ``folder``, which then holds nothing else.

        A folder that an earlier run wrote is replaced as a whole.

        Raises:
            UsageError: The folder is there and holds something else.
            StorageError: It could not be written; what was there before is left as it was.
        """
        check_folder(folder)
        with storing(folder):
            # Of a symbolic link what it leads to is replaced.
            folder = folder.resolve()
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as work:
                fresh, old = Path(work) / "new", Path(work) / "old"
                for name, content in self.files.items():
                    path = fresh / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                if folder.exists():
                    folder.rename(old)
                try:
                    fresh.rename(folder)
                except OSError:
                    if old.exists():
                        old.rename(folder)
                    raise
                with contextlib.suppress(OSError):
                    shutil.rmtree(old, ignore_errors=True)


def check_folder(folder: Path) -> None:
    """See whether `Source.write` may replace ``folder``.

    Raises:
        UsageError: It holds something that no earlier run wrote.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file, and generated C goes into a folder.", "Choose another with --out.")
    foreign = _foreign(folder)
    if foreign is not None:
        raise UsageError(
            f"{folder} holds {foreign!r}, which is no part of generated C; it would be lost.",
            "Choose a folder of its own with --out, such as --out build/net.",
        )


def _foreign(folder: Path) -> str | None:
    """Something there that no earlier run wrote. It is not looked for below what is foreign itself."""
    written = _written(folder)
    folders = {name.partition("/")[0] for name in written if "/" in name}
    with storing(folder):
        for path in sorted(folder.iterdir()):
            if path.name in folders and path.is_dir() and not path.is_symlink():
                below = {f"{path.name}/{inner.relative_to(path).as_posix()}" for inner in path.rglob("*")}
                if below - written:
                    return min(below - written)
            elif path.name not in written:
                return path.name
    return None


def _written(folder: Path) -> set[str]:
    """The files that an earlier run wrote there."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError):
        return set()
    if manifest.format != FORMAT:
        return set()
    return {MANIFEST, *(file.path for file in manifest.files)}
