"""Fetch a file over https."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from edgerig.errors import SourceError, storing
from edgerig.progress import Progress

TIMEOUT_S = 30
_PIECE = 1 << 18


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Refuses every redirect away from https, even if a later one would lead back."""

    def redirect_request(self, req: urllib.request.Request, *rest: Any) -> urllib.request.Request | None:
        following = super().redirect_request(req, *rest)
        if following is not None and following.type != "https":
            raise SourceError(f"{req.full_url} leads to {following.full_url}, which is not https.")
        return following


def download(url: str, path: Path, progress: Progress) -> None:
    """Download ``url`` to ``path``.

    Raises:
        SourceError: The server cannot be reached, refuses, redirects away from https, or closes the connection early.
        StorageError: ``path`` cannot be written.
    """
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "edgerig"})
        with urllib.request.build_opener(_OnlyHttps).open(request, timeout=TIMEOUT_S) as response:
            _copy(response, url, path, progress)
    except urllib.error.HTTPError as error:
        raise SourceError(f"Could not fetch {url}: {error.code} {error.reason}.", "Is the address right?") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise SourceError(f"Could not fetch {url}: {reason}.", "Is this machine online?") from error


def _copy(response: http.client.HTTPResponse, url: str, path: Path, progress: Progress) -> None:
    length = response.headers.get("Content-Length")
    total = int(length) if length and length.isdigit() else None
    done = 0
    with progress.task(f"fetching {url} (KiB)", total // 1024 if total else None) as task, path.open("wb") as file:
        while piece := response.read(_PIECE):
            with storing(path):
                file.write(piece)
            done += len(piece)
            task.advance(done // 1024 - task.done)
    if total is not None and done != total:
        raise SourceError(f"{url} broke off after {done} of {total} bytes.", "Try again.")
