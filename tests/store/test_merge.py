"""Both writers' changes in one version, held to what they mean on random entries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.errors import ConflictError
from edgerig.store import Entry, difference
from edgerig.store.merge import merge, merge_classes

HASHES = [digit * 64 for digit in "abc"]
_entries = st.dictionaries(
    st.sampled_from("uvwxyz"),
    st.tuples(
        st.sampled_from(HASHES),
        st.sampled_from([None, "train", "test"]),
        st.sampled_from([None, "car", "bus"]),
        st.dictionaries(st.sampled_from(["time", "camera"]), st.sampled_from("01"), max_size=2),
    ),
    max_size=5,
).map(
    lambda rows: tuple(
        Entry(name=name, sha256=sha256, size=1, split=split, label=label, extra=extra)
        for name, (sha256, split, label, extra) in sorted(rows.items())
    )
)


def fields(entries: tuple[Entry, ...]) -> dict[tuple[str, str], object]:
    """Each value by entry and field."""
    return {
        (entry.name, key): value
        for entry in entries
        for key, value in {"content": entry.sha256, "split": entry.split, "label": entry.label, **entry.extra}.items()
        if value is not None
    }


@given(_entries, _entries)
def test_a_difference_makes_the_later_out_of_the_earlier(earlier, later) -> None:
    change = difference(earlier, later)
    names = {entry.name for entry in change.removed}
    result = {entry.name: entry for entry in earlier if entry.name not in names}
    result.update((new.name, new) for _, new in change.changed)
    result.update((entry.name, entry) for entry in change.added)
    assert sorted(result.values(), key=lambda entry: entry.name) == list(later)
    assert bool(change) == (earlier != later)


@given(_entries, _entries)
def test_where_only_one_side_changed_the_merge_is_that_side(base, changed) -> None:
    assert merge(base, changed, base, "theirs") == changed
    assert merge(base, base, changed, "theirs") == changed
    assert merge(base, changed, changed, "theirs") == changed


@given(_entries, _entries, _entries)
def test_no_change_of_either_side_is_lost_and_none_is_invented(base, ours, theirs) -> None:
    before, our, their = fields(base), fields(ours), fields(theirs)
    merged, conflicts = None, ()
    try:
        merged = fields(merge(base, ours, theirs, "theirs"))
    except ConflictError as error:
        conflicts = error.conflicts
    if merged is None:
        assert conflicts
        touched = {key[0] for key in {*before, *our} if before.get(key) != our.get(key)}
        touched_there = {key[0] for key in {*before, *their} if before.get(key) != their.get(key)}
        assert {line.partition(":")[0] for line in conflicts} <= touched & touched_there
        return
    for key in {*before, *our, *their, *merged}:
        if our.get(key) != before.get(key):
            assert merged.get(key) == our.get(key)
        else:
            assert merged.get(key) == their.get(key)


@given(_entries, _entries, _entries)
def test_a_merge_does_not_depend_on_who_came_first(base, ours, theirs) -> None:
    def outcome(first, second):
        try:
            return merge(base, first, second, "x")
        except ConflictError as error:
            return sorted(line.partition(":")[0] for line in error.conflicts)

    assert outcome(ours, theirs) == outcome(theirs, ours)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ("ab", "ab", "ab", "ab"),
        ("ab", "abc", "ab", "abc"),
        ("ab", "ab", "abd", "abd"),
        ("ab", "abc", "abd", "abdc"),
        ("ab", "abc", "abc", "abc"),
        ("ab", "abce", "abec", "abec"),
        ("ab", "ba", "ab", "ba"),
        ("", "a", "b", "ba"),
        ("ab", "ba", "abc", None),
        ("ab", "a", "abc", None),
    ],
)
def test_classes_keep_their_indices(base: str, ours: str, theirs: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ConflictError, match="changed the classes meanwhile"):
            merge_classes(base, ours, theirs, "version 2")
    else:
        assert merge_classes(base, ours, theirs, "version 2") == tuple(expected)
