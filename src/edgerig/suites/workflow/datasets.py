"""Datasets in a store, as inputs and outputs of steps."""

from __future__ import annotations

from pathlib import Path

from edgerig import files
from edgerig.errors import StoreError
from edgerig.store import Version, open_dataset
from edgerig.suites.workflow.records import Output


def full_address(address: str, out: Path) -> str:
    """The address with a relative folder below the workflow's output folder."""
    return address if "://" in address else str(out / address)


def pinned(address: str) -> tuple[str, str]:
    """The address with its version, the newest where it has none, and the identity of what is in it.

    Raises:
        StoreError: There is no such dataset or version.
    """
    versions, number = open_dataset(address)
    version = versions.read(number)
    return f"{versions.address}@{version.version}", identity_of_version(version)


def identity_of_version(version: Version) -> str:
    """One digest of what a version holds: its entries and classes; not when and after which other it was made."""
    return files.digest([version.classes, version.entries])


def dataset_output(address: str) -> Output:
    """What lies at an output that is a dataset, after the step has run.

    Raises:
        StoreError: There is no such dataset: the step did not make it.
    """
    path, identity = pinned(address)
    return Output(path=path, version=identity)


def is_there(output: Output) -> bool:
    """Whether the version that a step made is in its store as it was."""
    try:
        return pinned(output.path)[1] == output.version
    except StoreError:
        return False
