import subprocess
from pathlib import Path

import pytest

from edgerig.results.commit import VARIABLES, current_commit


@pytest.fixture(autouse=True)
def nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def git(folder: Path, *arguments: str) -> str:
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(folder), *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_is_the_one_that_is_checked_out(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    git(tmp_path, "init", "-q")
    assert current_commit(tmp_path) == ""
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    expected = git(tmp_path, "rev-parse", "HEAD")
    assert current_commit(tmp_path / "deep" / "er") == expected
    git(tmp_path, "pack-refs", "--all")
    assert current_commit(tmp_path) == expected
    git(tmp_path, "worktree", "add", "-q", str(tmp_path / "tree"))
    assert current_commit(tmp_path / "tree") == expected
    git(tmp_path, "checkout", "-q", "--detach")
    assert current_commit(tmp_path) == expected


def test_what_an_integration_says_comes_first_if_it_is_a_commit(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567")
    assert current_commit(tmp_path).startswith("0123")
    monkeypatch.setenv("EDGERIG_COMMIT", "not a commit\n::error::")
    assert current_commit(tmp_path).startswith("0123")


def test_a_broken_repository_has_no_commit(tmp_path: Path) -> None:
    (tmp_path / ".git").write_bytes(b"\xff\xfe")
    assert current_commit(tmp_path) == ""
