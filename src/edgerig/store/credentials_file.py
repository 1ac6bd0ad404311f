"""Files of credentials: named entries for servers, each with sets of data."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import msgspec

from edgerig import files
from edgerig.errors import UsageError
from edgerig.store.access import Access, SetOfData

#: Keys of an entry with all spellings in use, the first of them ours.
_SPELLINGS = {
    "access_key": ("access key", "access_key"),
    "secret_key": ("secret key", "secret_key"),
    "verify": ("cert_verify", "cert verify"),
    "certificate": ("cert_path", "cert path"),
}
_NEEDED = ("name", "address", "access_key", "secret_key")


def read_entries(path: Path) -> list[Access]:
    """The entries for object storage of a file of credentials.

    Raises:
        UsageError: It cannot be read, or something in it is not valid; names the entry and the key, never a value.
    """
    try:
        document = msgspec.json.decode(files.without_mark(path.read_bytes()))
    except OSError as error:
        raise UsageError(f"Cannot read the credentials in {path}: {error.strerror}.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UsageError(f"The credentials in {path} are no JSON.") from None
    rows = document.get("s3") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not rows:
        raise UsageError(f"{path} has no list 's3' of entries.", 'Such as {"s3": [{"name": "lab", "address": ..}]}.')
    entries = [_entry(row, path, number) for number, row in enumerate(rows, 1)]
    names = [entry.name for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{path} has two entries called {twice!r}.", "Give each a name of its own.")
    return entries


def readable_by_others(path: Path) -> bool:
    """Whether other users of this machine can read a file."""
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False


def _entry(row: Any, path: Path, number: int) -> Access:
    where = f"entry {number} of 's3' in {path}"
    if not isinstance(row, dict):
        raise UsageError(f"{where} is no object of names and values.")
    fields = {name: _spelt(row, spellings, where) for name, spellings in _SPELLINGS.items()}
    fields |= {"name": row.get("name"), "address": row.get("address")}
    for name in _NEEDED:
        if not isinstance(fields[name], str) or not fields[name]:
            raise UsageError(f"{where} has no text as {_SPELLINGS.get(name, (name,))[0]!r}.")
    tls = _flag(row.get("tls", True), "tls", where)
    certificate = fields["certificate"]
    if certificate is not None and not isinstance(certificate, str):
        raise UsageError(f"{where}: 'cert_path' is neither a path nor null.")
    if certificate:
        # As written in the file, it is beside the file.
        certificate = str(path.parent / Path(certificate).expanduser())
    return Access(
        name=fields["name"],
        access_key=fields["access_key"],
        secret_key=fields["secret_key"],
        endpoint=_endpoint(fields["address"], tls, where, row),
        region=row.get("region") if isinstance(row.get("region"), str) else None,
        verify=_flag(True if fields["verify"] is None else fields["verify"], "cert_verify", where),
        certificate=certificate or None,
        sets=_sets(row.get("sets"), where),
    )


def _spelt(row: dict[str, Any], spellings: tuple[str, ...], where: str) -> Any:
    values = [row[name] for name in spellings if name in row]
    if any(value != values[0] for value in values):
        raise UsageError(f"{where} says two things: {spellings[0]!r} and {spellings[1]!r} differ.", "Take one out.")
    return values[0] if values else None


def _flag(value: Any, name: str, where: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{where}: {name!r} is neither true nor false.")
    return value


def _endpoint(address: str, tls: bool, where: str, row: dict[str, Any]) -> str:
    scheme, separator, rest = address.rpartition("://")
    if separator and scheme not in ("http", "https"):
        raise UsageError(f"{where}: 'address' is no URL of a server.", "Such as minio.lab:9000.")
    if separator and "tls" in row and (scheme == "https") != tls:
        raise UsageError(f"{where}: 'address' says {scheme} and 'tls' says {str(tls).lower()}.", "Change one of them.")
    if not re.fullmatch(r"[A-Za-z0-9.\[\]:_-]+(/[^@?#]*)?", rest):
        raise UsageError(f"{where}: 'address' is no URL of a server.", "Such as minio.lab:9000, without keys.")
    return f"{scheme or ('https' if tls else 'http')}://{rest.rstrip('/')}"


def _sets(rows: Any, where: str) -> dict[str, SetOfData]:
    try:
        sets = msgspec.convert(rows or {}, dict[str, SetOfData])
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{where}: 'sets' is not valid: {error}.", "Each set has bucket, prefix, dataset_filter."
        ) from None
    return sets
