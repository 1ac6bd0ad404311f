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
#: HTTP: the answer is the part that was asked for; the file has no such part.
_PART, _NOTHING_THERE = 206, 416


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Refuses every redirect away from https, even if a later one would lead back."""

    def redirect_request(self, req: urllib.request.Request, *rest: Any) -> urllib.request.Request | None:
        following = super().redirect_request(req, *rest)
        if following is not None and following.type != "https":
            raise SourceError(f"{req.full_url} leads to {following.full_url}, which is not https.")
        return following


def download(url: str, path: Path, progress: Progress) -> None:
    """Download ``url`` to ``path``, after what lies there of it already, where the server can go on from there.

    Whether two parts are of one file the caller has to check. A server that cannot go on sends all of it.

    Raises:
        SourceError: The server cannot be reached, refuses, redirects away from https, or closes the connection early.
        StorageError: ``path`` cannot be written.
    """
    try:
        there = path.stat().st_size if path.exists() else 0
        headers = {"User-Agent": "edgerig"} | ({"Range": f"bytes={there}-"} if there else {})
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.build_opener(_OnlyHttps).open(request, timeout=TIMEOUT_S) as response:
            _copy(response, url, path, progress, there)
    except urllib.error.HTTPError as error:
        if error.code == _NOTHING_THERE and there:
            # It ends where we are, or is another one by now: the sum tells.
            return
        raise SourceError(f"Could not fetch {url}: {error.code} {error.reason}.", "Is the address right?") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise SourceError(f"Could not fetch {url}: {reason}.", "Is this machine online?") from error


def _copy(response: http.client.HTTPResponse, url: str, path: Path, progress: Progress, there: int) -> None:
    """Write an answer to ``path``, behind its first ``there`` bytes if it goes on from these."""
    goes_on = response.status == _PART and (response.headers.get("Content-Range") or "").startswith(f"bytes {there}-")
    if response.status == _PART and not goes_on:
        path.unlink()
        raise SourceError(f"{url} was asked for what follows byte {there:,}, and sends another part.", "Try again.")
    done = there if goes_on else 0
    length = response.headers.get("Content-Length")
    total = done + int(length) if length and length.isdigit() else None
    mode = "ab" if goes_on else "wb"
    with progress.task(f"fetching {url} (KiB)", total // 1024 if total else None) as task, path.open(mode) as file:
        task.advance(done // 1024)
        while piece := response.read(_PIECE):
            with storing(path):
                file.write(piece)
            done += len(piece)
            task.advance(done // 1024 - task.done)
    if total is not None and done != total:
        raise SourceError(f"{url} broke off after {done} of {total} bytes.", "Try again: it goes on from there.")
