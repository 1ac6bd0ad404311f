"""Who may use a page: the page itself, and nobody else's."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

#: What a browser says of requests that the user, or the same page, made.
_OWN = ("same-origin", "none")


def refusal(headers: Mapping[str, str], server: Sequence[object] | None) -> str | None:
    """Why a request is refused, in a sentence; None if it is not.

    A browser sends along what page a request comes from: pages of other sites must not draw on this one's network. A
    server on loopback must be called by a loopback name: otherwise a foreign site, whose name is made to lead here once
    its page is loaded, would be the same origin (DNS rebinding).

    Args:
        headers: Of the request, with lower-case names.
        server: Host and port that the request came to, where known.
    """
    host = headers.get("host", "")
    if server and is_loopback(str(server[0])) and not is_loopback(host_of(host)):
        return f"This server is on this machine alone, and has no name such as {host_of(host)[:100]!r}."
    origin = headers.get("origin")
    if origin is not None and (not host or _netloc(origin).lower() != host.lower()):
        return "A page of another site may not use this server."
    if headers.get("sec-fetch-site", "none") not in _OWN and headers.get("sec-fetch-mode") != "navigate":
        return "A page of another site may not use this server."
    return None


def _netloc(origin: str) -> str:
    """``HOST:PORT`` of an origin; empty where it is none, as browsers' own ``null``."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def host_of(netloc: str) -> str:
    """The host in ``HOST:PORT``, without brackets."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() in ("localhost", "localhost.localdomain") or host.lower().endswith(".localhost")
