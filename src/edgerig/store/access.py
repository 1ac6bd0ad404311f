"""Keys of object storage, and how they are kept out of everything that is shown."""

from __future__ import annotations

from typing import Any

import msgspec


class SetOfData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A set of a file of credentials.

    Attributes:
        bucket: Where its datasets are.
        prefix: The folder of the bucket that they are in; empty for the whole bucket.
        dataset_filter: Only datasets whose names hold this text belong to it; empty for all.
    """

    bucket: str
    prefix: str = ""
    dataset_filter: str = ""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How to get into a server for object storage. Neither `repr` nor `str` has a secret in it.

    Attributes:
        name: The entry's name, for messages.
        access_key, secret_key, token: What requests are signed with.
        endpoint: URL of the server; None for Amazon's.
        region: Of the bucket; None where nothing is said of it.
        verify: Whether the server's certificate is checked.
        certificate: PEM file of an authority to trust besides the system's.
        sets: Buckets by name.
    """

    name: str
    access_key: str
    secret_key: str
    token: str | None = None
    endpoint: str | None = None
    region: str | None = None
    verify: bool = True
    certificate: str | None = None
    sets: dict[str, SetOfData] = {}

    def __repr__(self) -> str:
        return f"Access({self.name!r}, endpoint={self.endpoint!r})"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("name", self.name), ("endpoint", self.endpoint)]
