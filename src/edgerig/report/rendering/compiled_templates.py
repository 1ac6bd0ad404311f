"""Compiled templates of pages, kept in the cache: each process would compile them anew, which takes longer than to fill
them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

from edgerig import __version__, files
from edgerig.installed import version


class CompiledTemplates(jinja2.BytecodeCache):
    """Files below edgerig's cache folder, each with the SHA-256 of its content: Python may crash on damaged bytecode.

    Jinja compares each with the template's text and with Python's version. A cache that cannot be read or written is
    as if it were empty.
    """

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill ``bucket`` with what was kept of its template, if it is whole and current."""
        code = files.recall(*_place(bucket))
        if code is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what is in ``bucket``."""
        files.remember(bucket.bytecode_to_string(), *_place(bucket))


def _place(bucket: Bucket) -> tuple[str, str, str]:
    return "templates", _how(), bucket.key


@lru_cache(maxsize=1)
def _how() -> str:
    """A name for all but the template that the compiled code depends on: Jinja's version, and the environment with its
    filters, which is set up in the modules of this folder."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    content = b"".join(path.read_bytes() for path in modules)
    return files.digest([__version__, version("jinja2"), files.sha256(content)])[:16]
