import os

import pytest

from edgerig.agent import scratch as folders
from edgerig.errors import StorageError, UsageError


def test_two_agents_cannot_have_one_folder(tmp_path):
    held = folders.own_folder(tmp_path / "own")
    with pytest.raises(UsageError, match="Another agent"):
        folders.own_folder(tmp_path / "own")
    os.close(held)
    os.close(folders.own_folder(tmp_path / "own"))


def test_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        folders.own_folder(tmp_path / "file" / "own")
