"""From an address to a store."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edgerig.errors import MissingExtraError, NoDatasetError, storing
from edgerig.store.address import check_store_address, parse_address
from edgerig.store.faults import Missing, translated
from edgerig.store.store import Store
from edgerig.store.versions import Versions

if TYPE_CHECKING:
    from obstore.store import MemoryStore

#: The stores in memory, by what stands behind ``memory://``; each lasts as long as the process.
_in_memory: dict[str, MemoryStore] = {}


def open_store(address: str, *, writing: bool = False, credentials: str | None = None) -> Store:
    """Open a store.

    Args:
        address: ``s3://bucket/prefix``; ``set://NAME`` for a set out of a file of credentials; ``memory://``, which
            lasts as long as this process; or a folder, which is made where it is missing and ``writing``.
        writing: Whether something will be written: then it is tried out whether the store can create a file only where
            there is none.
        credentials: A file of credentials, ``FILE`` or ``FILE:ENTRY``; by default that in ``EDGERIG_CREDENTIALS``, or
            the usual variables of the environment, or the profile in ``~/.aws``. See `edgerig.store.credentials`.

    Raises:
        StoreError: It is not there, or refuses the credentials.
        UsageError: The address or the credentials are not valid.
        MissingExtraError: obstore is not installed.
    """
    check_store_address(address)
    try:
        import obstore  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(f"The store {address}", "store", "obstore") from error
    if address.startswith(("s3://", "set://")):
        from edgerig.store.s3 import open_s3

        store = open_s3(address, credentials)
    elif address.startswith("memory://"):
        store = _open_memory(address)
    else:
        store = _open_folder(address, writing)
    if writing:
        _ = store.creates_only
    else:
        with suppress(Missing), translated(f"Opening {address}"):
            store.folders()
    return store


def open_dataset(address: str, *, writing: bool = False, credentials: str | None = None) -> tuple[Versions, int | None]:
    """Open the store of a dataset's address, ``STORE/NAME`` or ``STORE/NAME@N``.

    Returns:
        Its versions, and the number in the address; None where it has none.

    Raises:
        As for `open_store`. That there is no such dataset is found out when it is read.
    """
    parsed = parse_address(address)
    return Versions(open_store(parsed.store, writing=writing, credentials=credentials), parsed.name), parsed.version


def _open_memory(address: str) -> Store:
    from obstore.store import MemoryStore

    return Store(address, _in_memory.setdefault(address.removeprefix("memory://").strip("/"), MemoryStore()))


def _open_folder(address: str, writing: bool) -> Store:
    from obstore.store import LocalStore

    folder = Path(address).expanduser()
    if writing:
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_dir():
        raise NoDatasetError(f"There is no folder {folder}.", "Look at the address, or write something there first.")
    with translated(f"Opening {folder}"):
        return Store(address, LocalStore(folder), folder=folder)
