"""Deprecated features, each with the version that removes it.

A function or class is marked by a decorator, a setting by its struct, an option of the command line by another
decorator in `edgerig.cli.options`. All of them are in `DEPRECATIONS` once their module is imported; a test of edgerig
imports every module, and fails as soon as the project's version has reached the end of one that still exists.

>>> @deprecated(since="0.2", ends="0.4", instead="edgerig.run")
... def measure() -> int:
...     return 1
>>> import warnings
>>> with warnings.catch_warnings(record=True) as caught:
...     warnings.simplefilter("always")
...     value = measure()
>>> print(caught[0].message)
edgerig.deprecation.measure is deprecated since 0.2 and ends with 0.4. Use edgerig.run instead.
>>> [entry.what for entry in overdue("0.4.1", [measure.deprecation])]
['edgerig.deprecation.measure']
"""

from __future__ import annotations

import functools
import logging
import re
import warnings
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import msgspec

from edgerig.text import one_line

F = TypeVar("F", bound=Callable[..., Any])


class Deprecation(msgspec.Struct, frozen=True):
    """A deprecated feature.

    Attributes:
        what: Its name, as its users write it.
        since: The version that deprecated it.
        ends: The first version without it.
        instead: The replacement; None where there is none.
    """

    what: str
    since: str
    ends: str
    instead: str | None = None

    def __str__(self) -> str:
        text = f"{self.what} is deprecated since {self.since} and ends with {self.ends}."
        return f"{text} Use {self.instead} instead." if self.instead else text


class EdgerigDeprecationWarning(FutureWarning):
    """Warns of a deprecated function or class. It is shown by default, since it is meant for users of edgerig."""


#: All deprecations so far, added by `declare`.
DEPRECATIONS: list[Deprecation] = []
_said: set[Deprecation] = set()


def declare(what: str, *, since: str, ends: str, instead: str | None = None) -> Deprecation:
    """Register a deprecation.

    Raises:
        ValueError: A version is not valid, or there would be too little time before the end.
    """
    entry = Deprecation(what, since, ends, instead)
    if release(ends) <= release(since):
        raise ValueError(f"{what} would end with {ends}, but is deprecated since {since} only")
    DEPRECATIONS.append(entry)
    return entry


def deprecated(*, since: str, ends: str, instead: str | None = None) -> Callable[[F], F]:
    """Decorate a deprecated function, method or class: each use warns with `EdgerigDeprecationWarning`."""

    def decorate(target: F) -> F:
        entry = declare(f"{target.__module__}.{target.__qualname__}", since=since, ends=ends, instead=instead)
        marked: Any = target
        if isinstance(target, type):
            # Its constructor, so that subclasses warn, too.
            marked.__init__ = _warning(marked.__init__, entry)
        else:
            marked = _warning(target, entry)
        marked.deprecation = entry
        return cast(F, marked)

    return decorate


def _warning(function: Callable[..., Any], entry: Deprecation) -> Callable[..., Any]:
    @functools.wraps(function)
    def warned(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(str(entry), EdgerigDeprecationWarning, stacklevel=2)
        return function(*args, **kwargs)

    return warned


def say(entry: Deprecation) -> None:
    """Log the deprecation of a setting or an option, once per process."""
    if entry not in _said:
        _said.add(entry)
        logging.getLogger(__name__).warning("%s", one_line(str(entry), 500))


def release(version: str) -> tuple[int, ...]:
    """The numbers of a version, without suffixes and trailing zeros.

    >>> release("0.4.0") == release("0.4"), release("0.10") > release("0.9.3"), release("1.0rc1")
    (True, True, (1,))

    Raises:
        ValueError: It does not begin with a number.
    """
    match = re.match(r"\d+(?:\.\d+)*", version)
    if match is None:
        raise ValueError(f"{version!r} is no version")
    numbers = [int(part) for part in match[0].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def overdue(version: str, entries: Iterable[Deprecation] = DEPRECATIONS) -> list[Deprecation]:
    """Those of ``entries`` that must be gone in ``version``."""
    return [entry for entry in entries if release(entry.ends) <= release(version)]
