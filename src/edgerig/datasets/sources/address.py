"""Addresses of files: ``bundled:NAME``, a path, ``https://..``, ``pypi:..``, ``npm:..``."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from edgerig.errors import SpecError, UnknownNameError

Kind = Literal["bundled", "file", "https", "pypi", "npm"]
KINDS = ("bundled", "file", "https", "npm", "pypi")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
# Exact names and versions only: no range, which could give another file tomorrow, and no option.
_PYPI = re.compile(r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[A-Za-z0-9][A-Za-z0-9.+_-]*)")
_NPM = re.compile(
    r"(?P<name>(?:@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*)@(?P<version>\d+\.\d+\.\d+(?:[-+][A-Za-z0-9.+-]*)?)"
)
_FORMS = {"pypi": "pypi:name==version!path/in/wheel", "npm": "npm:name@version!path/in/tarball"}


class Address(msgspec.Struct, frozen=True):
    """A parsed address.

    Attributes:
        kind: The kind of source.
        place: A bundled file's name, a path, a URL, or a package's name.
        version: The package's version.
        member: The file's path inside the package.
    """

    kind: Kind
    place: str
    version: str = ""
    member: str = ""

    @property
    def package(self) -> str:
        """The package in its client's syntax, such as ``name==version``."""
        return f"{self.place}{'==' if self.kind == 'pypi' else '@'}{self.version}"

    def __str__(self) -> str:
        if self.kind in ("pypi", "npm"):
            return f"{self.kind}:{self.package}!{self.member}"
        return self.place if self.kind == "https" else f"{self.kind}:{self.place}"


def parse_address(text: str) -> Address:
    """Parse an address.

    Raises:
        UnknownNameError: The kind of source is unknown.
        SpecError: It does not have the form of its kind, or names a member outside the package.
    """
    match = _SCHEME.fullmatch(text)
    if not text:
        raise SpecError("The address of a file is empty.", "Give a path, or https://.., pypi:.., npm:..")
    if match is None:
        return Address("file", text)
    kind, rest = match.group(1).lower(), match.group(2)
    if kind == "https":
        return Address("https", text)
    if kind == "http":
        raise SpecError(f"{text}: plain http can be changed on its way.", "Use https.")
    if kind == "file":
        # file:///a/b is the URL of /a/b; file:a/b is a path.
        return Address("file", rest.removeprefix("//") or ".")
    if kind == "bundled":
        return Address("bundled", checked_member(rest, text))
    if kind in ("pypi", "npm"):
        return _package(kind, rest, text)
    raise UnknownNameError("kind of source", kind, KINDS)


def checked_member(member: str, address: str) -> str:
    """``member`` if it is a path that stays inside its archive.

    Raises:
        SpecError: It is empty, absolute, or climbs out with ``..``.
    """
    parts = member.split("/")
    if not member or "\\" in member or "\0" in member or any(part in ("", ".", "..") for part in parts):
        raise SpecError(
            f"{address!r}: {member!r} is no path inside an archive.", "Give it without leading slash, '.' and '..'."
        )
    return member


def _package(kind: str, rest: str, text: str) -> Address:
    package, mark, member = rest.partition("!")
    match = (_PYPI if kind == "pypi" else _NPM).fullmatch(package)
    if not mark or match is None:
        raise SpecError(f"{text!r} is no address of a file in a package.", f"Its form is {_FORMS[kind]}.")
    checked = checked_member(member, text)
    return Address("pypi" if kind == "pypi" else "npm", match["name"], match["version"], checked)
