"""What every store does, whatever is underneath."""

from __future__ import annotations

import threading

import pytest

from edgerig.errors import DamagedObjectError, StoreError
from edgerig.files import sha256
from edgerig.store import Missing, Store, open_store
from edgerig.store.objects import LARGE, Stored, key_of


def all_keys(store: Store) -> dict[str, int]:
    return {key: size for page in store.pages() for key, size in page.items()}


def test_what_was_stored_is_read_back(store: Store) -> None:
    store.put("a/b.json", b"first")
    assert store.get("a/b.json") == b"first"
    store.put("a/b.json", b"the second")
    assert (store.get("a/b.json"), store.size("a/b.json")) == (b"the second", 10)
    assert store.beginning("a/b.json", 3) == b"the"
    assert store.beginning("a/b.json", 1000) == b"the second"
    assert b"".join(store.stream("a/b.json")) == b"the second"


def test_what_is_not_there_is_an_answer(store: Store) -> None:
    for read in (store.get, lambda key: store.beginning(key, 5), lambda key: list(store.stream(key))):
        with pytest.raises(Missing):
            read("a/none")
    assert store.size("a/none") is None
    store.delete("a/none")
    assert (list(store.pages("a")), store.files("a"), store.folders("a")) == ([], {}, [])


def test_only_the_first_creates(store: Store) -> None:
    assert store.creates_only
    assert store.create("x", b"1")
    assert not store.create("x", b"2")
    assert store.get("x") == b"1"


def test_of_many_that_create_at_once_one_does(store: Store) -> None:
    barrier, created = threading.Barrier(8), []

    def create(number: int) -> None:
        barrier.wait()
        if store.create("contested", str(number).encode()):
            created.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(number).encode() for number in created] == [store.get("contested")]


def test_lists_tell_folders_from_files(store: Store) -> None:
    for key in ("d/a/1", "d/a/2", "d/b/3", "d/4", "other"):
        store.put(key, b"xx")
    assert store.folders("d") == ["a", "b"]
    assert store.files("d") == {"4": 2}
    assert {key for page in store.pages("d") for key in page} == {"d/a/1", "d/a/2", "d/b/3", "d/4"}


def test_lists_have_as_many_pages_as_they_need(store: Store) -> None:
    if store.address.startswith("s3"):
        pytest.skip("1,001 uploads take long; the benchmark has them")
    for number in range(1001):
        store.put(f"n/{number}", b"")
    assert [len(page) for page in store.pages("n")] == [1000, 1]


def test_the_probe_leaves_nothing_behind(store: Store) -> None:
    assert all_keys(store) == {}


def test_another_process_would_see_the_same(address: str) -> None:
    open_store(address, writing=True).put("shared", b"1")
    assert open_store(address).get("shared") == b"1"


def test_objects_are_under_their_hash(store: Store) -> None:
    stored = store.objects.add(b"picture")
    assert stored == Stored(sha256(b"picture"), 7)
    assert all_keys(store) == {key_of(stored.sha256): 7}
    assert store.objects.get(stored.sha256) == b"picture"
    store.objects.check(stored.sha256)


@pytest.mark.parametrize("damage", [b"pictur", b"Picture", b""])
def test_a_damaged_object_is_an_error_that_names_it(store: Store, damage: bytes, tmp_path) -> None:
    stored = store.objects.add(b"picture")
    store.put(key_of(stored.sha256), damage)
    target = tmp_path / "out"
    for read in (
        store.objects.get,
        store.objects.check,
        lambda name: store.objects.fetch(name, target, LARGE),
        lambda name: store.objects.fetch(name, target, stored.size),
    ):
        with pytest.raises(DamagedObjectError, match=stored.sha256):
            read(stored.sha256)
    assert not list(tmp_path.glob("*out*")), "a damaged file is never written"


def test_a_missing_object_is_an_error_that_names_it(store: Store) -> None:
    for read in (store.objects.get, store.objects.check):
        with pytest.raises(DamagedObjectError, match=f"lacks the object {'ab' * 32}"):
            read("ab" * 32)


def test_a_truncated_object_is_sent_again(store: Store) -> None:
    stored = store.objects.add(b"picture")
    store.put(key_of(stored.sha256), b"pic")
    assert store.objects.present([stored]) == set()
    store.objects.add(b"picture")
    assert store.objects.get(stored.sha256) == b"picture"


@pytest.mark.parametrize("count", [3, 25])
def test_what_is_there_is_known_by_asking_and_by_listing(store: Store, count: int) -> None:
    stored = [store.objects.add(str(number).encode()) for number in range(count)]
    strangers = [Stored(sha256(f"x{number}".encode()), 2) for number in range(count)]
    assert store.objects.present([*stored, *strangers]) == {each.sha256 for each in stored}


def test_a_large_file_goes_there_and_back_in_pieces(store: Store, tmp_path) -> None:
    data = bytes(range(256)) * (LARGE // 256) + b"and a rest"
    path = tmp_path / "large"
    path.write_bytes(data)
    stored = Stored(sha256(data), len(data))
    store.objects.send(path, stored)
    assert store.size(key_of(stored.sha256)) == len(data)
    store.objects.fetch(stored.sha256, tmp_path / "back", stored.size)
    assert (tmp_path / "back").read_bytes() == data


@pytest.mark.parametrize("length", [10, LARGE + 10])
def test_a_file_that_changes_meanwhile_is_not_stored_under_its_old_hash(store: Store, length: int, tmp_path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"x" * length)
    old = Stored(sha256(b"y" * length), length)
    with pytest.raises(StoreError, match="changed while it was read"):
        store.objects.send(path, old)
    assert store.objects.present([old]) == set()
