"""Archives that are fetched and unpacked once, into a folder of the cache."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from edgerig import files
from edgerig.cache import StageCache
from edgerig.datasets.samples import content_sum
from edgerig.datasets.sources.cache import Source, fetch_all
from edgerig.errors import SourceError
from edgerig.progress import Progress


def unpacked(name: str, sources: Sequence[Source], folders: Sequence[str], progress: Progress) -> Path:
    """The folder with what is in the archives: fetched and unpacked if it is not there yet, or not as it was.

    Args:
        name: Of the folder, to which the archives' sums add.
        sources: Archives (.tar.gz) with their sums.
        folders: Top folders in them; nothing else is unpacked, nor what is no plain file.

    Raises:
        SourceError: An archive is not available, is not the expected one, or cannot be read.
        StorageError: The cache folder cannot be written.
    """
    digest = files.digest([[source.address, source.sha256] for source in sources])

    def build(work: Path) -> None:
        for archive in fetch_all(sources, progress):
            _unpack(archive, work, folders, progress)

    # The fingerprint of samples needs the sums of their files as well.
    cache = StageCache(files.cache_folder() / "datasets", content_sum)
    return cache.get_or_build(
        f"{name}-{digest[:12]}",
        build,
        damaged=lambda fault: progress.log(f"{name} in the cache is damaged ({fault}); it is unpacked again"),
    )[0]


def _unpack(archive: Path, work: Path, folders: Sequence[str], progress: Progress) -> None:
    """The plain files of an archive that lie in ``folders``; links, devices and paths that lead out are left."""
    try:
        with progress.task(f"unpacking {archive.name}") as task, tarfile.open(archive, "r:gz") as content:
            for member in content:
                path = PurePosixPath(member.name)
                if not member.isfile() or path.is_absolute() or ".." in path.parts or path.parts[0] not in folders:
                    continue
                source = content.extractfile(member)
                assert source is not None, "it is a plain file"
                target = work / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
                task.advance()
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise SourceError(f"{archive} cannot be unpacked: {error}.", "Remove it; it is fetched again.") from error
