"""Records in a folder that several processes and machines write at once.

A record is written to a file of another name, brought to the disk, and only then linked to its own name, which fails if
that is taken: so a file of a record's name is whole at any moment, and no writer replaces another's.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from edgerig.errors import StorageError, storing
from edgerig.files import sync_folder, umask

#: What a filesystem without hard links answers (FAT, some network shares).
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class FolderRecords:
    """The files of a folder by name, each created once.

    Args:
        folder: The folder; made when the first record is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def address(self) -> str:
        """The folder, absolute."""
        return str(self.folder.absolute())

    def names(self) -> list[str]:
        """Names of the files, sorted; without hidden ones, which are records that are being written.

        Raises:
            StorageError: The folder cannot be read.
        """
        try:
            with os.scandir(self.folder) as entries:
                return sorted(entry.name for entry in entries if entry.is_file() and not entry.name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"{self.folder} cannot be read: {error.strerror}.") from error

    def read(self, name: str, limit: int) -> bytes:
        """The first ``limit + 1`` bytes of a file.

        Raises:
            StorageError: It cannot be read.
        """
        try:
            with (self.folder / name).open("rb") as file:
                return file.read(limit + 1)
        except OSError as error:
            raise StorageError(f"{self.folder / name} cannot be read: {error.strerror}.") from error

    def create(self, name: str, data: bytes) -> bool:
        """Create a file, whole or not at all; it is on the disk when this returns.

        Returns:
            Whether it is new; False where there is one of that name, which stays as it is.

        Raises:
            StorageError: The folder cannot be written.
        """
        with storing(self.folder / name):
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name_of_temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=self.folder)
            temporary = Path(name_of_temporary)
            try:
                with os.fdopen(handle, "wb") as file:
                    _write(file.fileno(), data)
                created = _link(temporary, self.folder / name, data)
            finally:
                temporary.unlink(missing_ok=True)
            sync_folder(self.folder)
        return created


def _link(temporary: Path, path: Path, data: bytes) -> bool:
    temporary.chmod(0o666 & ~umask())
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _create(path, data)
    return True


def _create(path: Path, data: bytes) -> bool:
    """As `FolderRecords.create` where there are no links: a writer that dies leaves a file whose name tells that
    it is not whole."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        _write(file.fileno(), data)
    return True


def _write(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
    os.fsync(handle)
