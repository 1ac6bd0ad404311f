"""Removes what a shared report must not reveal: where files lie on this machine, and so who works on it."""

from __future__ import annotations

import re
from typing import TypeVar, cast

import msgspec

#: A path starts at the start of a word. After a letter, a colon, a bracket or a slash it is part of an address
#: (``tcp://host/x``), of a relative path or of a layer's name (``jit(f)/conv1``).
_START = r"""(?<![\w.:/~…)\]}-])"""
_PART = r"""[^/\\\s"'`<>|;,=()\[\]]"""
#: Absolute paths of two parts and more, with the last part in a group. Devices and the kernel's own files are equal on
#: all machines, and stay.
_PATH = re.compile(rf"{_START}(?:~|[A-Za-z]:)?[/\\](?!dev/|proc/|sys/)(?:{_PART}+[/\\])+({_PART}*)")
#: A home folder without anything after it.
_HOME = re.compile(rf"{_START}/(?:home|Users)/{_PART}+/?(?!{_PART}|/)")
#: The run that holds a device, as a lease names it: ``ann@desk, process 4711``. It is searched only at the start of a
#: word: a search from each letter would take quadratic time in the length of a long word.
_RUN = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w.-]+, process \d+")
#: Fields that hold no text: encoded pictures are full of slashes.
_OPAQUE = frozenset({"picture", "sha256", "fingerprint"})
#: Types of what is no text and holds none: of a report's values most.
_NUMBERS = (float, int, bool, type(None))

T = TypeVar("T")


def shorten_paths(text: str) -> str:
    """``text`` with each absolute path cut to its last part: ``/home/me/nets/a.tflite`` becomes ``…/a.tflite``.

    The name of the run that holds a device, which tells user and host, becomes ``another run``.
    """
    # Of a report's texts few have a slash, and fewer name a run.
    if "/" in text or "\\" in text:
        text = _PATH.sub(r"…/\1", _HOME.sub("…", text))
    return _RUN.sub("another run", text) if "@" in text else text


def anonymous(value: T) -> T:
    """The same text, struct, tuple or dict with every text in it through `shorten_paths`; pictures and hashes stay."""
    return cast(T, _anonymous(value))


def _anonymous(value: object) -> object:
    if type(value) in _NUMBERS:
        return value
    if isinstance(value, str):
        return shorten_paths(value)
    if isinstance(value, tuple):
        # Series of times are long.
        return tuple([item if type(item) is float else _anonymous(item) for item in value])
    if isinstance(value, dict):
        return {key: _anonymous(item) for key, item in value.items()}
    if isinstance(value, msgspec.Struct):
        names = [name for name in value.__struct_fields__ if name not in _OPAQUE]
        fields = [(name, getattr(value, name)) for name in names]
        changed = {name: new for name, old in fields if (new := _anonymous(old)) is not old}
        return msgspec.structs.replace(value, **changed) if changed else value
    return value
