from typing import Any

import msgspec
import pytest

from edgerig import plugins
from edgerig.datasets.base import Dataset
from edgerig.errors import SpecError, UnknownNameError
from edgerig.plugins import Settings, convert_settings


class ListSettings(Settings, frozen=True, kw_only=True):
    shape: tuple[int, ...] = ()
    size: tuple[int, int] | None = None
    names: list[str] = msgspec.field(default_factory=list)
    title: str = ""


@pytest.mark.parametrize(
    ("written", "shape"),
    [
        ("32,32,3", (32, 32, 3)),
        ("32, 32, 3", (32, 32, 3)),
        ("(32,32,3)", (32, 32, 3)),
        ("32x32x3", (32, 32, 3)),
        ([32, 32, 3], (32, 32, 3)),
        ("16", (16,)),
        (16, (16,)),
        ("16,", (16,)),
    ],
)
def test_a_list_may_be_written_without_brackets(written: Any, shape: tuple[int, ...]) -> None:
    settings = convert_settings(ListSettings, {"shape": written}, "dataset 'random'")
    assert isinstance(settings, ListSettings)
    assert settings.shape == shape


def test_optional_lists_and_lists_of_words_are_read_alike_and_texts_stay() -> None:
    options = {"size": "64x48", "names": "cat, dog", "title": "a, b"}
    settings = convert_settings(ListSettings, options, "dataset 'folder'")
    assert settings == ListSettings(size=(64, 48), names=["cat", "dog"], title="a, b")
    assert convert_settings(ListSettings, {"size": None}, "x") == ListSettings()


@pytest.mark.parametrize("written", ["32,tall", "32;32", True, {"a": 1}, "1.5,2"])
def test_what_is_no_list_of_numbers_is_told_with_its_key(written: Any) -> None:
    with pytest.raises(SpecError, match=r"dataset 'random': shape"):
        convert_settings(ListSettings, {"shape": written}, "dataset 'random'")


def test_the_name_that_is_wrong_stands_apart_from_the_noun_s_own() -> None:
    none = UnknownNameError("setting of task 'none'", "threshold", [])
    assert none.hint == "There are none: leave it out."
    assert str(UnknownNameError("dataset", "x", ["y"])).startswith("Unknown dataset 'x'.")
    assert str(UnknownNameError("setting of dataset 'random'", "shpe", ["shape"])).startswith(
        "Unknown setting of dataset 'random': 'shpe'."
    )


def test_a_setting_that_is_missing_is_named_with_its_meaning() -> None:
    with pytest.raises(SpecError, match=r"the setting 'root' is missing \(folder that holds one folder of images"):
        plugins.make("dataset", "folder", Dataset)
