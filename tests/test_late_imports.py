"""A module within the block is imported once something of it is used, and never seen as anything but itself."""

import importlib
import sys
from pathlib import Path

import pytest

from edgerig.late_imports import imported_later


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a package with the modules ``a``, which has ``value``, and ``b``, and one that uses it."""
    name = "package_imported_later"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "a.py").write_text("value = 5\n")
    (folder / "b.py").write_text("value = 6\n")
    (tmp_path / "late_user.py").write_text(f"import {name}.a\nfrom {name} import a as direct\n")
    (tmp_path / "user_of_names.py").write_text(f"from {name}.a import value\n")
    (tmp_path / "user_of_another.py").write_text(f"import {name}.b\nvalue = {name}.b.value\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in (name, f"{name}.a", f"{name}.b", "late_user", "user_of_names", "user_of_another"):
        monkeypatch.setitem(sys.modules, module, sys)  # Taken out again afterwards, whoever imports it.
        monkeypatch.delitem(sys.modules, module)
    return name


def test_it_is_imported_when_it_is_used(package: str) -> None:
    with imported_later(package, f"{package}.a"):
        user = importlib.import_module("late_user")
    assert not [name for name in sys.modules if name.startswith(package)]
    assert getattr(user, package).a.value == 5
    assert user.direct.value == 5
    assert sys.modules[f"{package}.a"].__file__ == user.direct.__file__
    assert f"{package}.b" not in sys.modules
    with pytest.raises(AttributeError, match="other"):
        _ = user.direct.other


@pytest.mark.parametrize(("user", "value"), [("user_of_names", 5), ("user_of_another", 6)])
def test_who_uses_it_within_the_block_gets_it_at_once(package: str, user: str, value: int) -> None:
    with imported_later(package, f"{package}.a"):
        assert importlib.import_module(user).value == value
    assert importlib.import_module(f"{package}.a").value == 5
    assert importlib.import_module(package).a.value == 5


def test_what_is_imported_already_stays_and_so_do_its_parts(package: str) -> None:
    whole = importlib.import_module(package)
    with imported_later(package, f"{package}.a"):
        user = importlib.import_module("late_user")
        assert sys.modules[f"{package}.a"].value == 5
    assert getattr(user, package) is whole


def test_a_package_that_is_not_installed_cannot_be_imported() -> None:
    with imported_later("no_such_package", "no_such_package.part"), pytest.raises(ImportError):
        importlib.import_module("no_such_package.part")


def test_an_error_takes_the_stand_ins_away(package: str) -> None:
    with pytest.raises(ZeroDivisionError), imported_later(package):
        assert 1 / 0
    assert importlib.import_module(f"{package}.a").value == 5
