"""The log of versions: what is committed is read back, and nobody's commit is lost."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from edgerig.errors import ConflictError, StoreError, UsageError
from edgerig.files import sha256
from edgerig.store import Entry, Store, Versions, dataset_names, open_store


def entry(name: str, content: str = "x", **fields) -> Entry:
    return Entry(name=name, sha256=sha256(content.encode()), size=len(content), **fields)


def test_a_version_is_read_back_as_it_was_committed(store: Store) -> None:
    versions = Versions(store, "street")
    assert versions.latest() is None
    entries = [entry("b c/ü.png", split="test", extra={"camera": "0"}), entry("a.png", "yy", label="car")]
    committed = versions.commit(entries, base=None, classes=("car", "bus"), note="from the first week")
    read = versions.read()
    assert read == committed
    assert read.entries == tuple(sorted(entries, key=lambda each: each.name))
    assert (read.version, read.parent, read.note, read.classes) == (1, None, "from the first week", ("car", "bus"))
    assert (read.header.count, read.header.size, read.header.added) == (2, 3, 2)
    assert store.files("street") == {"v000001.json": len(store.get("street/v000001.json"))}
    document = json.loads(store.get("street/v000001.json"))
    assert document["entries"][0] == {"label": "car", "name": "a.png", "sha256": sha256(b"yy"), "size": 2}
    assert dataset_names(store) == ["street"]


def test_each_version_names_its_parent_and_what_it_changed(store: Store) -> None:
    versions = Versions(store, "street")
    first = versions.commit([entry("a"), entry("b")], base=None)
    second = versions.commit([entry("a", "new"), entry("c"), entry("d")], base=first, note="more")
    assert (second.version, second.parent) == (2, 1)
    assert (second.header.added, second.header.changed, second.header.removed) == (2, 1, 1)
    assert [header.version for header in versions.headers()] == [1, 2]
    assert versions.headers()[1] == second.header
    assert versions.read(1) == first, "an old version stays as it was"


def test_a_version_under_another_number_is_refused(store: Store) -> None:
    versions = Versions(store, "street")
    first = versions.commit([entry("a")], base=None)
    store.put("street/v000002.json", versions.read_bytes(1))
    for read in (versions.read, versions.header):
        with pytest.raises(StoreError, match="@2 says that it is version 1"):
            read(2)
    with pytest.raises(StoreError, match="@3 says that it is version 1"):
        versions.create(3, versions.read_bytes(1))
    with pytest.raises(StoreError, match="@2 says"):
        versions.commit([entry("a"), entry("b")], base=first)
    assert versions.numbers() == [1, 2]


def test_a_commit_without_changes_makes_no_version(store: Store) -> None:
    versions = Versions(store, "street")
    first = versions.commit([entry("a")], base=None)
    assert versions.commit([entry("a")], base=first, note="nothing") == first
    assert versions.commit([entry("a")], base=None) == first
    assert versions.numbers() == [1]


def test_a_stale_writer_keeps_what_others_committed(store: Store) -> None:
    versions = Versions(store, "street")
    base = versions.commit([entry("a", label="car"), entry("b"), entry("c")], base=None, classes=("car",))
    versions.commit([entry("a", label="car"), entry("b", "b2"), entry("n")], base=base, classes=("car", "bus"))
    relabelled = [entry("a", label="truck"), entry("b"), entry("c")]
    third = versions.commit(relabelled, base=base, classes=("car", "truck"))
    assert (third.version, third.parent, third.classes) == (3, 2, ("car", "bus", "truck"))
    assert third.entries == (entry("a", label="truck"), entry("b", "b2"), entry("n"))


def test_a_conflict_says_what_does_not_fit_and_changes_nothing(store: Store) -> None:
    versions = Versions(store, "street")
    base = versions.commit([entry("a"), entry("b"), entry("c", label="car")], base=None, classes=("car", "bus"))
    versions.commit([entry("a", label="car"), entry("c", label="bus")], base=base, classes=("car", "bus"))
    with pytest.raises(ConflictError) as failure:
        versions.commit([entry("a", label="bus"), entry("b", "new")], base=base, classes=("car", "bus"))
    assert failure.value.conflicts == (
        "c: removed here, changed in version 2",
        "a: label 'bus' here, 'car' in version 2",
        "b: changed here, removed in version 2",
    )
    assert "a: label 'bus' here, 'car' in version 2" in str(failure.value)
    assert versions.numbers() == [1, 2]


_WRITER = """
import sys
from edgerig.store import Entry, open_dataset
address, number = sys.argv[1], sys.argv[2]
versions, _ = open_dataset(address, writing=True)
sys.stdin.readline()
for turn in range(3):
    data = f"{number} {turn}".encode()
    stored = versions.store.objects.add(data)
    entry = Entry(name=f"{number}/{turn}", sha256=stored.sha256, size=stored.size)
    base = versions.read() if versions.latest() else None
    versions.commit([*(base.entries if base else ()), entry], base=base)
"""


@pytest.mark.slow
@pytest.mark.parametrize("address", ["s3", "folder"], indirect=True)
def test_twelve_processes_that_commit_at_once_lose_nothing(address: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, f"{address}/street", str(number)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(12)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=120)[1] for process in processes] == [""] * 12
    versions = Versions(open_store(address), "street")
    assert {each.name for each in versions.read().entries} == {f"{n}/{turn}" for n in range(12) for turn in range(3)}
    assert versions.numbers() == list(range(1, 37))
    assert [header.parent for header in versions.headers()] == [None, *range(1, 36)]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["../x"], "has '..' in it"),
        (["/etc/passwd"], "begins with '/'"),
        (["a//b"], "has an empty part"),
        (["a\\b"], "has a backslash in it"),
        (["a\x1b[2J"], "has control characters or no text in it"),
        (["a\udcff"], "has control characters or no text in it"),
        (["a", "a"], "is there twice"),
        (["a", "a/b"], "is a file and a folder"),
        (["ü" * 101], "has a part of more than 200 bytes"),
    ],
)
def test_names_that_leave_the_folder_are_refused_when_written_and_when_read(names: list[str], reason: str) -> None:
    store = open_store("memory://names", writing=True)
    with pytest.raises(StoreError, match=reason):
        Versions(store, "street").commit([entry(name) for name in names], base=None)
    assert Versions(store, "street").latest() is None
    if names == ["a\udcff"]:
        return
    header = {"version": 1, "count": len(names), "size": 0}
    rows = [{"name": name, "sha256": "0" * 64, "size": 0} for name in names]
    store.put("evil/v000001.json", json.dumps({**header, "entries": rows}).encode())
    with pytest.raises(StoreError, match=reason):
        Versions(store, "evil").read()


@pytest.mark.parametrize("name", ["été 1.png", "a b/c d.png", "Screenshot 9.41.02\u202fPM.png", "日本/図.png", "A.PNG"])
def test_names_in_any_script_are_taken(name: str) -> None:
    versions = Versions(open_store(f"memory://{len(name)}-{sha256(name.encode())[:8]}", writing=True), "street")
    assert versions.commit([entry(name)], base=None).entries[0].name == name
    assert versions.read().entries[0].name == name


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "cannot be read"),
        (b'{"version":1,"count":0,"size":0,"entries":[', "cannot be read"),
        (b'{"version":1,"count":2,"size":0,"entries":[]}', "says 2 entries and has 0"),
        (b'{"version":1,"count":0,"size":0,"entries":[],"colour":1}', "colour"),
        (b'{"version":1,"count":1,"size":0,"entries":[{"name":"a","sha256":"../../x","size":1}]}', "regex"),
    ],
)
def test_a_damaged_version_is_refused(document: bytes, reason: str) -> None:
    store = open_store("memory://damaged", writing=True)
    store.put("street/v000001.json", document)
    with pytest.raises(StoreError, match=reason) as failure:
        Versions(store, "street").read()
    assert "memory://damaged/street@1" in str(failure.value)


def test_what_is_not_there_is_said_with_what_is() -> None:
    store = open_store("memory://near", writing=True)
    Versions(store, "street").commit([entry("a")], base=None)
    with pytest.raises(StoreError, match=r"no version 7.*\nThe newest is 1"):
        Versions(store, "street").read(7)
    with pytest.raises(StoreError, match="Did you mean 'street'"):
        Versions(store, "stret").read()
    with pytest.raises(UsageError, match="cannot be called"):
        Versions(store, "objects")


def test_a_label_that_is_no_class_is_refused() -> None:
    versions = Versions(open_store("memory://labels", writing=True), "street")
    with pytest.raises(StoreError, match="'a' has the label 'bus', which is none of the classes"):
        versions.commit([entry("a", label="bus")], base=None, classes=("car",))


def test_a_header_larger_than_what_is_read_first_is_still_read() -> None:
    versions = Versions(open_store("memory://classes", writing=True), "street")
    classes = tuple(f"a class with a long name {number}" for number in range(1000))
    committed = versions.commit([entry("a", label=classes[-1])], base=None, classes=classes)
    assert versions.headers() == [committed.header]
