"""What was found out of a network in a process of its own, kept in the cache: each round is a fresh process, which
would ask the same of the same file again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

from edgerig import __version__, files
from edgerig.installed import version

T = TypeVar("T")


def kept_answer(
    question: Sequence[object], content: str, find_out: Callable[[], T], *, code: Sequence[str], packages: Sequence[str]
) -> T:
    """What ``find_out`` gives, asked once for each content of a file on this machine.

    Args:
        question: What is asked, with all settings that the answer depends on.
        content: SHA-256 of the file that it is asked of.
        find_out: Gives a value that JSON can hold, tuples as lists. What it raises is raised, and not kept.
        code: Files of the code that answers.
        packages: Packages that it asks in turn, whose versions count.
    """
    versions = {name: version(name) for name in packages}
    key = files.digest([question, content, __version__, _sum(tuple(code)), versions])
    parts = ("answers", key[:2], key)
    kept = files.recall(*parts)
    if kept is not None:
        return cast(T, json.loads(kept))
    answer = find_out()
    files.remember(json.dumps(answer).encode(), *parts)
    return answer


@lru_cache(maxsize=8)
def _sum(code: tuple[str, ...]) -> str:
    return files.sha256(b"".join(Path(path).read_bytes() for path in code))
