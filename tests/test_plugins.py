from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from edgerig import plugins
from edgerig.datasets.base import Dataset
from edgerig.errors import SpecError, UnknownNameError
from edgerig.plugins import Plugin, Settings, is_there
from edgerig.settings import convert_settings


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


class RealsSettings(Settings, frozen=True, kw_only=True):
    mean: tuple[float, ...] = (0.0,)
    pair: tuple[float, float] | None = None


@pytest.mark.parametrize("written", ["0,5", "-0,5", "123,7", "0,5,0,5"])
@pytest.mark.parametrize("key", ["mean", "pair"])
def test_a_decimal_comma_is_not_taken_for_what_separates_numbers(written: str, key: str) -> None:
    with pytest.raises(SpecError, match=rf"{key}: {written} is several whole numbers to some") as caught:
        convert_settings(RealsSettings, {key: written}, "dataset 'folder'")
    assert written.split(",")[0] + "." + written.split(",")[1] in str(caught.value)


@pytest.mark.parametrize(
    ("written", "mean"),
    [
        ("123,117,104", (123, 117, 104)),
        ("0.5,0.5", (0.5, 0.5)),
        ("0, 5", (0, 5)),
        ([0, 5], (0, 5)),
        ("0.5", (0.5,)),
        (0.5, (0.5,)),
    ],
)
def test_real_numbers_that_can_be_read_in_one_way_are(written: Any, mean: tuple[float, ...]) -> None:
    assert convert_settings(RealsSettings, {"mean": written}, "dataset 'folder'") == RealsSettings(mean=mean)


class NumberSettings(Settings, frozen=True, kw_only=True):
    samples: int | None = None
    rounds: int | Literal["auto"] = 1
    rate: float = 1.0
    sizes: dict[str, tuple[int, ...]] = msgspec.field(default_factory=dict)
    classes: list[str] = msgspec.field(default_factory=list)


@pytest.mark.parametrize("options", [{"samples": 1.0}, {"samples": "1.000"}, {"rounds": 5.0}, {"sizes": {"a": [3.0]}}])
def test_a_decimal_point_makes_no_whole_number(options: dict[str, Any]) -> None:
    """``1.000`` is a thousand where the point separates thousands, and would be run as one sample."""
    with pytest.raises(SpecError, match="has a decimal point, where a whole number is asked for"):
        convert_settings(NumberSettings, options, "measure")


def test_whole_numbers_and_real_ones_are_read_as_they_are_written() -> None:
    options = {"samples": "1e3", "rounds": "7", "rate": "1.000", "sizes": {"a": [3]}}
    settings = convert_settings(NumberSettings, options, "measure")
    assert settings == NumberSettings(samples=1000, rounds=7, rate=1.0, sizes={"a": (3,)})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rate": "1,5"}, "decimals have a point"),
        ({"samples": "1,000"}, "thousands nothing"),
        ({"rounds": "three"}, "'three' is neither a number nor 'auto'"),
        ({"classes": ["maybe", True]}, "put quotes around them"),
    ],
)
def test_how_to_write_a_value_is_told_with_what_is_wrong_of_it(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        convert_settings(NumberSettings, options, "measure")


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


def test_what_no_extra_brings_is_not_told_as_one_of_edgerig() -> None:
    class Sound(Plugin):
        name, modules = "sound", ("edgerig_test_absent",)

    class Named(Sound):
        packages = ("absent-sound", "absent-codec")

    missing = Sound.missing(), Named.missing()
    assert [str(error.hint) for error in missing if error] == [
        "Install the package that brings the module edgerig_test_absent, with pip, beside edgerig.",
        "pip install absent-sound absent-codec",
    ]


def test_a_module_whose_package_fails_is_there_and_one_that_is_missing_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = {
        "edgerig_test_sound": "",
        "edgerig_test_hungry": "import edgerig_test_no_such_module",
        "edgerig_test_raising": "raise OSError('libgone.so.1: cannot open shared object file')",
    }
    for name, code in sources.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(code)
        (tmp_path / name / "inner.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    for name in sources:
        assert is_there(name), "a package is found without being imported"
        assert is_there(f"{name}.inner"), "why it fails is told where it is used"
    assert not is_there("edgerig_test_sound.absent")
    assert not is_there("edgerig_test_no_such_module.inner")
    assert not is_there("edgerig_test_sound.inner.deeper"), "a module that is no package has nothing within"
