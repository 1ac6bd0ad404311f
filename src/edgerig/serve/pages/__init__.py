"""Pages that a server shows: their files, and what every one of them is sent with."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent
#: What a file is, by its suffix.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
#: Nothing is loaded from elsewhere, and no other page shows this one or reads it.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def files_of(page: str) -> dict[str, tuple[bytes, str]]:
    """The files of a page by their names: content and type. What is not among them, there is not."""
    paths = sorted(path for path in (ROOT / page).iterdir() if path.suffix in TYPES)
    return {path.name: (path.read_bytes(), TYPES[path.suffix]) for path in paths}
