import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a user's, with the module of two formats in it."""
    folder = tmp_path_factory.mktemp("plugins")
    shutil.copy(Path(__file__).parent / "odd_nets.py", folder)
    return folder


@pytest.fixture
def odd_nets(plugin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, imported."""
    monkeypatch.syspath_prepend(str(plugin_folder))
    import odd_nets

    assert Path(sys.modules["odd_nets"].__file__).parent == plugin_folder
    return odd_nets
