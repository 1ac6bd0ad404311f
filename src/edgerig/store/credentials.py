"""Where the keys of object storage come from, and nowhere else: a file, the environment, or the usual profile.

The file is JSON with named entries, in order of preference ``--credentials FILE[:ENTRY]`` or ``EDGERIG_CREDENTIALS``::

    {"s3": [{"name": "lab", "address": "minio.lab:9000", "access key": "..", "secret key": "..",
             "tls": true, "cert_verify": true, "cert_path": "ca.pem",
             "sets": {"dataset": {"bucket": "ml", "prefix": "data", "dataset_filter": ""}}}]}

Then ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``, ``AWS_ENDPOINT_URL_S3`` or
``AWS_ENDPOINT_URL``, ``AWS_REGION``, ``AWS_CA_BUNDLE``; then ``AWS_PROFILE``, or ``default``, of ``~/.aws``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from edgerig.errors import UnknownNameError, UsageError
from edgerig.store.access import Access, SetOfData
from edgerig.store.address import CREDENTIALS
from edgerig.store.aws_profile import read_profile
from edgerig.store.credentials_file import read_entries

VARIABLE = "EDGERIG_CREDENTIALS"


def find_access(source: str | None, bucket: str | None, environment: Mapping[str, str] | None = None) -> Access:
    """The keys to use.

    Args:
        source: ``FILE`` or ``FILE:ENTRY``; None for ``EDGERIG_CREDENTIALS``, the environment, the profile.
        bucket: The bucket that they are for, which chooses an entry of several that has a set there.
        environment: The variables to look at; those of this process by default.

    Raises:
        UsageError: There are none, or what there is cannot be read; never says a secret.
    """
    variables = os.environ if environment is None else environment
    source = source or variables.get(VARIABLE)
    if source:
        return _from_file(source, bucket)
    if variables.get("AWS_ACCESS_KEY_ID") or variables.get("AWS_SECRET_ACCESS_KEY"):
        return _from_environment(variables)
    profile = read_profile(variables)
    if profile is None:
        raise UsageError("There are no credentials for object storage.", CREDENTIALS)
    return profile


def find_set(source: str | None, name: str, environment: Mapping[str, str] | None = None) -> tuple[Access, SetOfData]:
    """The keys and the bucket of a set that a file of credentials names.

    Raises:
        UsageError: There is no file, or no such set in it, or in several entries.
    """
    variables = os.environ if environment is None else environment
    source = source or variables.get(VARIABLE)
    if not source:
        raise UsageError(f"set://{name} is a set of a file of credentials, and none is named.", CREDENTIALS)
    path, entry = split_source(source)
    entries = read_entries(path)
    if entry is not None and entry not in {access.name for access in entries}:
        raise UnknownNameError(f"entry of {path}", entry, [access.name for access in entries])
    having = [access for access in entries if name in access.sets and entry in (None, access.name)]
    if not having:
        raise UnknownNameError(f"set of data in {path}", name, {key for access in entries for key in access.sets})
    if len(having) > 1:
        raise _ambiguous(path, having)
    return having[0], having[0].sets[name]


def split_source(source: str) -> tuple[Path, str | None]:
    """``FILE`` or ``FILE:ENTRY`` taken apart; a file whose own name has a colon is meant where there is one.

    >>> split_source("creds.json:lab")
    (PosixPath('creds.json'), 'lab')
    """
    path, colon, entry = source.rpartition(":")
    if not colon or Path(source).expanduser().is_file():
        return Path(source).expanduser(), None
    return Path(path).expanduser(), entry


def _from_file(source: str, bucket: str | None) -> Access:
    path, name = split_source(source)
    entries = read_entries(path)
    if name is not None:
        named = [access for access in entries if access.name == name]
        if not named:
            raise UnknownNameError(f"entry of {path}", name, [access.name for access in entries])
        return named[0]
    if len(entries) == 1:
        return entries[0]
    with_bucket = [access for access in entries if any(each.bucket == bucket for each in access.sets.values())]
    if len(with_bucket) == 1:
        return with_bucket[0]
    raise _ambiguous(path, with_bucket or entries)


def _ambiguous(path: Path, entries: list[Access]) -> UsageError:
    names = ", ".join(access.name for access in entries)
    return UsageError(f"{path} has several entries that fit: {names}.", f"Name one: --credentials {path}:NAME.")


def _from_environment(variables: Mapping[str, str]) -> Access:
    missing = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not variables.get(name)]
    if missing:
        raise UsageError(f"{missing[0]} is not set, and its partner is.", "Set both.")
    keys = {"access_key": variables["AWS_ACCESS_KEY_ID"], "secret_key": variables["AWS_SECRET_ACCESS_KEY"]}
    server = read_profile(variables, keys=False)
    assert server is not None  # without keys there is always an answer
    return msgspec.structs.replace(server, name="the environment", token=variables.get("AWS_SESSION_TOKEN"), **keys)
