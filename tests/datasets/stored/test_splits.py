"""Splits of entries: a content is in one split, and a class has something to learn from."""

from __future__ import annotations

import pytest

from edgerig.datasets.stored.splits import split_entries
from edgerig.files import sha256
from edgerig.store import Entry


def entry(name: str, content: str, split: str | None = None, label: str | None = "cat") -> Entry:
    return Entry(name=name, sha256=sha256(content.encode()), size=1, label=label, split=split)


@pytest.mark.parametrize("labels", ["aaaa", "abab", [None] * 4])
def test_a_content_of_many_names_is_in_one_split(labels: list[str]) -> None:
    entries = [
        entry(f"{number}/{copy}.png", str(number), None, labels[copy]) for number in range(30) for copy in range(4)
    ]
    splits = split_entries(entries, 0.2, 0.1)
    contents = [{each.sha256 for each in members} for members in splits.values()]
    assert [len(each) for each in contents] == [21, 3, 6]
    assert len(set.union(*contents)) == 30
    assert [len(members) for members in splits.values()] == [84, 12, 24]


def test_what_says_no_split_follows_the_same_content_that_says_one(caplog: pytest.LogCaptureFixture) -> None:
    entries = [
        entry("a.png", "a", "test"),
        entry("b.png", "a"),
        *(entry(f"{number}.png", str(number)) for number in range(9)),
    ]
    splits = split_entries(entries, 0.2, 0.1)
    assert [each.name for each in splits["test"]] == ["a.png", "b.png"]
    assert len(splits["train"]) + len(splits["validation"]) == 9
    assert caplog.text == ""


def test_a_content_that_is_said_to_be_learned_and_tested_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    entries = [entry(f"train/{number}.png", str(number), "train") for number in range(10)]
    entries += [entry("test/3.png", "3", "test"), entry("test/4.png", "4", "test"), entry("test/x.png", "x", "test")]
    splits = split_entries(entries, 0.2, 0)
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [10, 0, 3]
    assert "2 pictures of the split test are in the split train as well" in caplog.text
    assert "The first one is test/3.png, which is train/3.png." in caplog.text


@pytest.mark.parametrize(("count", "sizes"), [(1, [1, 0, 0]), (2, [1, 0, 1]), (3, [1, 1, 1])])
def test_a_class_of_few_pictures_is_learned_first_and_tested_next(count: int, sizes: list[int]) -> None:
    splits = split_entries([entry(f"{number}.png", str(number)) for number in range(count)], 0.2, 0.1)
    assert [len(members) for members in splits.values()] == sizes


def test_a_content_of_two_labels_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    entries = [entry("cat/1.png", "a"), entry("dog/moved.png", "a", None, "dog"), entry("cat/2.png", "b")]
    split_entries(entries, 0.2, 0.1)
    assert "1 picture is labelled otherwise than the same content under another name" in caplog.text
    assert "cat/1.png and dog/moved.png" in caplog.text


def test_a_content_of_two_names_and_one_label_is_no_contradiction(caplog: pytest.LogCaptureFixture) -> None:
    split_entries([entry("cat/1.png", "a"), entry("cat/2.png", "a")], 0.2, 0.1)
    assert caplog.text == ""
