"""Datasets that several machines share: contents by their hash, and versions that never change.

The address of a dataset is ``STORE/NAME`` with an optional ``@N``: ``s3://lab/street@7``, or ``data/street@2`` for a
folder. Nothing but files is in a store, no database and no lock::

    objects/ab/abcd..       contents, each under the SHA-256 of its bytes, checked whenever it is read
    street/v000007.json     a version: parent, date, note, classes, and an entry for each file

How it is used::

    from edgerig.store import Entry, open_dataset

    versions, number = open_dataset("s3://lab/street@7")   # Versions, and 7; None without @N
    version = versions.read(number)                         # Version: entries, classes, parent, note, sha256
    data = versions.store.objects.get(version.entries[0].sha256)

    stored = versions.store.objects.add(b"..")              # not sent if it is there already
    entry = Entry(name="car/1.png", sha256=stored.sha256, size=stored.size, label="car")
    versions.commit([*version.entries, entry], base=version, classes=version.classes, note="one car more")

`Versions.commit` takes all entries of the new version and the version that they were made from. Where others committed
meanwhile, both writers' changes are merged field by field, or `edgerig.errors.ConflictError` lists what does not fit.
Errors are `edgerig.errors.StoreError`; `Missing` is what `Store.get` raises where nothing is under a key.
"""

from edgerig.store.address import DatasetAddress, parse_address
from edgerig.store.faults import Missing
from edgerig.store.merge import Difference, difference
from edgerig.store.objects import Objects, Stored
from edgerig.store.opening import open_dataset, open_store
from edgerig.store.store import Store
from edgerig.store.types import ClassInfo, Entry, Header, Version
from edgerig.store.versions import Versions, dataset_names

__all__ = [
    "ClassInfo",
    "DatasetAddress",
    "Difference",
    "Entry",
    "Header",
    "Missing",
    "Objects",
    "Store",
    "Stored",
    "Version",
    "Versions",
    "dataset_names",
    "difference",
    "open_dataset",
    "open_store",
    "parse_address",
]
