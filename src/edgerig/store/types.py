"""What a version of a dataset is: its entries, each with the hash of its content, and how they are written as JSON."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edgerig.errors import StoreError
from edgerig.files import sha256
from edgerig.store.names import check_names

Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """A file of a dataset.

    Attributes:
        name: Its path within the dataset, with ``/`` between folders, such as ``car/0001.png``.
        sha256: Hash of its bytes: the name of the object that holds them.
        size: Its bytes.
        split: ``train``, ``validation`` or ``test``; None where none is said, and the reader cuts.
        label: Its class by name; None where it has none.
        annotation: Hash of the object that holds the image's labels as canonical JSON; None where there are none.
        extra: What else is known of it: time, camera, prediction ..
    """

    name: str
    sha256: Sha256
    size: Annotated[int, msgspec.Meta(ge=0)]
    split: str | None = None
    label: str | None = None
    annotation: Sha256 | None = None
    extra: dict[str, str] = {}


class ClassInfo(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """What is known of a class but its name and its number, for annotation tools.

    Attributes:
        id: As annotations number it; ids may have gaps.
        color: Red, green, blue.
        group: The group that it belongs to; COCO's supercategory.
    """

    id: int | None = None
    color: tuple[Byte, Byte, Byte] | None = None
    group: str = ""


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version without its entries, which is read quickly however many there are.

    Attributes:
        version: Its number, from 1 on.
        parent: The number of the version that it was made from; None for the first.
        date: When it was committed, ISO 8601 in UTC.
        note: What its maker said of it.
        classes: Names of the classes, in the order of their indices.
        class_info: What else is known of some of them, by name.
        kind: ``dataset``, or what else the files are: ``run``, ``model`` ..
        count: How many entries it has.
        size: Bytes of all of them.
        added, changed, removed: How many entries differ from the parent.
    """

    version: Annotated[int, msgspec.Meta(ge=1)]
    parent: int | None = None
    date: str = ""
    note: str = ""
    classes: tuple[str, ...] = ()
    class_info: dict[str, ClassInfo] = {}
    kind: str = "dataset"
    count: Annotated[int, msgspec.Meta(ge=0)]
    size: Annotated[int, msgspec.Meta(ge=0)]
    added: Annotated[int, msgspec.Meta(ge=0)] = 0
    changed: Annotated[int, msgspec.Meta(ge=0)] = 0
    removed: Annotated[int, msgspec.Meta(ge=0)] = 0


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a dataset as it is stored; it never changes.

    Attributes:
        header: All but the entries.
        entries: Sorted by name; no two have the same.
        sha256: Hash of the stored file: number and hash together pin a dataset.
    """

    header: Header
    entries: tuple[Entry, ...]
    sha256: str

    @property
    def version(self) -> int:
        return self.header.version

    @property
    def parent(self) -> int | None:
        return self.header.parent

    @property
    def date(self) -> str:
        return self.header.date

    @property
    def note(self) -> str:
        return self.header.note

    @property
    def classes(self) -> tuple[str, ...]:
        return self.header.classes

    def by_name(self) -> dict[str, Entry]:
        return {entry.name: entry for entry in self.entries}


class _Document(Header, frozen=True, kw_only=True, forbid_unknown_fields=True):
    entries: tuple[Entry, ...]


def encode(header: Header, entries: tuple[Entry, ...]) -> bytes:
    """The file of a version: JSON with the header in its first line and an entry in each line that follows, so that the
    header can be read alone."""
    encoder = msgspec.json.Encoder(order="sorted")
    fields = msgspec.to_builtins(header)
    if not header.class_info:
        del fields["class_info"]
    first = encoder.encode(fields)[:-1] + b',"entries":['
    rows = b",\n".join(encoder.encode(entry) for entry in entries)
    return first + b"\n" + rows + b"\n]}\n"


def decode(data: bytes, what: str) -> Version:
    """Read the file of a version, and check it.

    Args:
        what: Names it in errors.

    Raises:
        StoreError: It is damaged, or has names that a dataset cannot have.
    """
    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"{what} cannot be read: {error}.", "It is damaged, or of a newer edgerig.") from None
    header = Header(**{name: getattr(document, name) for name in Header.__struct_fields__})
    if header.count != len(document.entries):
        raise StoreError(f"{what} says {header.count} entries and has {len(document.entries)}.", "It is damaged.")
    check_entries(document.entries, header.classes, what)
    return Version(header=header, entries=document.entries, sha256=sha256(data))


def decode_header(beginning: bytes) -> Header | None:
    """The header out of the beginning of a version's file; None where it is not there whole."""
    first, newline, _ = beginning.partition(b"\n")
    if not newline:
        return None
    try:
        fields = msgspec.json.decode(first + b"]}", type=dict[str, msgspec.Raw])
        fields.pop("entries", None)
        return msgspec.json.decode(msgspec.json.encode(fields), type=Header)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def check_entries(entries: tuple[Entry, ...], classes: tuple[str, ...], what: str) -> None:
    """Refuse names that leave the dataset's folder or are there twice, and labels that are no class.

    Raises:
        StoreError: Names the entry.
    """
    if len(set(classes)) != len(classes):
        raise StoreError(
            f"{what} has a class twice among {', '.join(classes[:20])}.", "Let each have a name of its own."
        )
    check_names([entry.name for entry in entries], what)
    known = {None, *classes}
    stray = next((entry for entry in entries if entry.label not in known), None)
    if stray is not None:
        raise StoreError(
            f"{what}: {stray.name!r} has the label {stray.label!r}, which is none of the classes.",
            f"Classes: {', '.join(classes[:20]) or 'none'}.",
        )
