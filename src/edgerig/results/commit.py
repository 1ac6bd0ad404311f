"""The commit of the user's own sources that a run was made from."""

from __future__ import annotations

import os
import re
from pathlib import Path

#: Variables with the commit under test, set by continuous integrations; the first one serves all others.
VARIABLES = ("EDGERIG_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA", "BUILD_SOURCEVERSION", "GIT_COMMIT")
_ID = re.compile(r"[0-9a-fA-F]{7,64}")
#: Largest list of packed references that is searched, in bytes.
_MOST = 16 << 20


def current_commit(folder: Path | None = None) -> str:
    """The commit that a continuous integration reports, or that is checked out at ``folder``; empty if neither.

    Reads git's own files, so that git need not be installed. Uncommitted changes are not noticed.

    Args:
        folder: The folder to search from; the working folder by default.
    """
    said = next((value for name in VARIABLES if _ID.fullmatch(value := os.environ.get(name, "").strip())), "")
    if said:
        return said
    start = (folder or Path.cwd()).absolute()
    try:
        for parent in (start, *start.parents):
            if (parent / ".git").exists():
                return _checked_out(parent / ".git")
    except (OSError, UnicodeDecodeError):
        pass
    return ""


def _checked_out(git: Path) -> str:
    """The commit of HEAD of the repository ``git``; a file there leads to that of a worktree (gitrepository-layout)."""
    if git.is_file():
        git = git.parent / git.read_text().removeprefix("gitdir:").strip()
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return head if _ID.fullmatch(head) else ""
    name = head.removeprefix("ref:").strip()
    shared = git / (git / "commondir").read_text().strip() if (git / "commondir").is_file() else git
    for git_folder in (git, shared):
        if (git_folder / name).is_file():
            commit = (git_folder / name).read_text().strip()
            return commit if _ID.fullmatch(commit) else ""
    packed = shared / "packed-refs"
    if not packed.is_file() or packed.stat().st_size > _MOST:
        return ""
    lines = (line.partition(" ") for line in packed.read_text().splitlines())
    return next((commit for commit, _, other in lines if other == name and _ID.fullmatch(commit)), "")
