"""The lines of the journal of labelling."""

from __future__ import annotations

import msgspec

from edgerig.serve.labels.operations import Record

#: Of the form of the lines.
FORM = 1


class Beginning(msgspec.Struct, frozen=True, tag="journal", forbid_unknown_fields=True):
    """The first line.

    Attributes:
        dataset: Its address without a version. version: The one that the operations are upon.
        key: A random text by which pages know that this is the journal that their operations are for.
    """

    form: int
    dataset: str
    version: int
    key: str


class Upon(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the operations on a picture are upon, once others have changed its labels.

    Attributes:
        version: Theirs. after: The last revision that was in the store then: what was done before is no part of it.
    """

    version: int
    after: int


class Writing(msgspec.Struct, frozen=True, tag="writing", forbid_unknown_fields=True):
    """A version that is about to be written: should the server die before it knows, it sees what is its own.

    Attributes:
        revisions: Of the pictures that change. annotations: The hash of their labels. upon: See `Committed`.
    """

    revisions: dict[str, int]
    annotations: dict[str, str | None]
    upon: dict[str, Upon]


class Committed(msgspec.Struct, frozen=True, tag="committed", forbid_unknown_fields=True):
    """What was written to the store.

    Attributes:
        version: Its number. revisions: Of the pictures that changed in it.
        upon: Of those of them that others had changed meanwhile, what the operations are upon since.
    """

    version: int
    revisions: dict[str, int]
    upon: dict[str, Upon]


class Added(msgspec.Struct, frozen=True, tag="added", forbid_unknown_fields=True):
    """What came while people labelled.

    Attributes:
        version: One of others, whose pictures that were not known before are labelled from now on; None for none.
        classes: Names of classes that are new.
    """

    version: int | None = None
    classes: tuple[str, ...] = ()


class Taken(msgspec.Struct, frozen=True, tag="operation", forbid_unknown_fields=True):
    """An operation that was taken."""

    record: Record


Line = Beginning | Writing | Committed | Added | Taken
