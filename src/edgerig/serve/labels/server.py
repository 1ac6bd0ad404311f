"""The server of the page to label on, in the background of this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from edgerig.agent.address import Address, parse_address
from edgerig.errors import EdgerigError, MissingExtraError, UsageError
from edgerig.files import sha256, state_folder
from edgerig.serve import http
from edgerig.serve.labels.committing import Committer
from edgerig.serve.labels.dataset import LabelledDataset
from edgerig.serve.labels.hub import Hub
from edgerig.serve.labels.journal import Journal, archive, open_journal
from edgerig.serve.labels.prefill import Prefiller
from edgerig.serve.labels.routes import LabelRoutes
from edgerig.serve.listening import Access, listen_at
from edgerig.serve.loop import LoopThread, wait_for
from edgerig.serve.records import Records
from edgerig.serve.server import STOP_SECONDS

_logger = logging.getLogger(__name__)
#: The port where none is said.
PORT = 8082
#: Threads that read pictures.
WORKERS = 2


class LabelServer:
    """Serves the page for a dataset, from now on until `stop`, or the end of its ``with`` block.

    Args:
        dataset: Its address, ``STORE/NAME`` or ``STORE/NAME@N``. credentials: See `edgerig.store.open_store`.
        classes: Names of classes that are added to the dataset's.
        prefill: File of a network that proposes labels. prefill_labels, prefill_task: See `Prefiller`.
        journal: Folder of the journal; by default one for the dataset, below `state_folder`.
        listen: ``HOST:PORT``; port 0 takes a free one.
        tls, token, insecure: Who may come in, see `edgerig.serve.Server`.
        commit: Whether `stop` writes a version.

    Attributes:
        addresses: Of the HTTP port, under the name ``http``.

    Raises:
        UsageError, StoreError, DatasetError: There is no such dataset, or it has no pictures or classes, or another
            server labels it. MissingExtraError: A library is not installed.
    """

    def __init__(
        self,
        dataset: str,
        *,
        credentials: str | None = None,
        classes: Sequence[str] = (),
        prefill: Path | None = None,
        prefill_labels: Path | None = None,
        prefill_task: str | None = None,
        journal: Path | None = None,
        listen: str = f"127.0.0.1:{PORT}",
        tls: Path | None = None,
        token: bytes | None = None,
        insecure: bool = False,
        commit: bool = True,
    ) -> None:
        require()
        self.access = Access(tls=tls, token=token, insecure=insecure)
        wanted = parse_address(listen, PORT)
        self.access.check(wanted, takes_token=True)
        self._dataset = LabelledDataset(dataset, credentials)
        names = tuple(dict.fromkeys((*self._dataset.version.classes, *classes)))
        if not names:
            raise UsageError(f"{dataset} has no classes.", "Name them: --class car --class road.")
        self._commit = commit
        self._stopped, self._lock = threading.Event(), threading.Lock()
        self._prefiller: Prefiller | None = None
        with contextlib.ExitStack() as undo:
            if prefill is not None:
                self._prefiller = Prefiller(prefill, names, labels=prefill_labels, task=prefill_task)
                undo.callback(self._prefiller.close)
                for line in self._prefiller.told:
                    _logger.info("%s", line)
            folder = journal or journal_folder(self._dataset)
            self._journal = journal_of(folder, self._dataset)
            undo.callback(self._journal.close)
            self._listener, address = listen_at(wanted)
            undo.callback(self._listener.close)
            self.addresses: dict[str, Address] = {"http": address}
            self._worker = ThreadPoolExecutor(WORKERS, "labels")
            self._thread = LoopThread()
            undo.callback(self._thread.close)
            self._thread.run(self._start(names))
            undo.pop_all()

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self.addresses["http"]

    @property
    def journal(self) -> Path:
        """The file in which everything is that was acknowledged."""
        return self._journal.path

    def commit(self) -> dict[str, Any]:
        """Write a version of the dataset, if anything has changed; what pages are told of it.

        Raises:
            StoreError: The store refuses.
        """
        return self._thread.run(self._committer.commit())

    def wait(self) -> None:
        """Wait until `stop` was called, or an exception, such as Ctrl-C, ends the wait."""
        wait_for(self._stopped)

    def stop(self, deadline: float = STOP_SECONDS) -> None:
        """Let all pages go, write a version, and end; does nothing where it has ended.

        Raises:
            StoreError: The version cannot be written; everything is in the journal.
        """
        with self._lock:
            if self._stopped.is_set():
                return
            try:
                self._thread.run(self._stop(deadline))
                if self._commit:
                    self._last_commit()
            finally:
                self._stopped.set()
                self._thread.close()
                self._worker.shutdown(wait=False, cancel_futures=True)
                self._journal.close()

    def _last_commit(self) -> None:
        try:
            message = self.commit()
        except EdgerigError as error:
            error.hint = f"{error.hint or ''} All labels are in {self.journal}; start `edgerig label` again.".strip()
            raise
        if message["left"]:
            names = ", ".join(message["left"][:10])
            _logger.warning("not in the version, for the dataset has them no more, or they are not readable: %s", names)

    def __enter__(self) -> LabelServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _start(self, classes: tuple[str, ...]) -> None:
        self._hub = Hub(self._dataset, self._journal, classes, self._worker)
        self._committer = Committer(self._hub)
        self._routes = LabelRoutes(self._hub, self._committer, self._prefiller.name if self._prefiller else "")
        app = application(self._routes, self.access)
        self._http = http.HttpServer(app, self.access.context, Records(None))
        self._serving = asyncio.get_running_loop().create_task(self._http.serve(self._listener))
        self._looking = asyncio.get_running_loop().create_task(self._committer.keep_looking())
        if self._prefiller is not None:
            self._prefiller.start(self._hub)

    async def _stop(self, deadline: float) -> None:
        self._looking.cancel()
        if self._prefiller is not None:
            await self._prefiller.stop(deadline)
        self._routes.close()
        self._http.stop(deadline)
        await asyncio.gather(self._serving, return_exceptions=True)
        await self._hub.settle()
        self._listener.close()


def application(routes: LabelRoutes, access: Access) -> Any:
    """The ASGI application, for those who may come in."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response

    from edgerig.serve.ways.page_requests import respond_error

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return respond_error(error.detail, error.status_code)

    app = Starlette(routes=list(routes.routes()), exception_handlers={HTTPException: refused})
    return http.admitting(app, access)


def require() -> None:
    """Check that a server of pages with WebSockets is installed, and a reader of images.

    Raises:
        MissingExtraError: It is not.
    """
    http.require()
    for module in ("wsproto", "PIL"):
        try:
            __import__(module)
        except ImportError as error:
            raise MissingExtraError("edgerig label", "label", module) from error


def journal_folder(dataset: LabelledDataset) -> Path:
    """The folder of a dataset's journal, in ``labels`` in `state_folder`.

    Earlier versions of edgerig did not follow ``EDGERIG_STATE``, and kept journals of datasets in folders under the
    address as it was typed, so that ``data/street`` was the same in every folder. A journal of theirs may hold labels
    that are in no version yet: it is taken where it can be of no other dataset, and else is named.
    """
    folder = state_folder() / "labels" / sha256(dataset.identity.encode())[:16]
    homes = (state_folder(), Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "edgerig")
    for home in homes:
        earlier = home / "labels" / sha256(dataset.address.encode())[:16]
        if earlier == folder or folder.exists() or not earlier.is_dir():
            continue
        if "://" in dataset.address or Path(dataset.address).is_absolute():
            return earlier
        _logger.warning(
            "%s has what was labelled in a dataset that was called %s from some folder. If that was this one, take it: "
            "--journal %s",
            earlier,
            dataset.address,
            earlier,
        )
    return folder


def journal_of(folder: Path, dataset: LabelledDataset) -> Journal:
    """The journal of a dataset; a new one where all of the former is in the store.

    Raises:
        UsageError: Another server has it. StorageError: It is damaged, or cannot be written.
    """
    journal = open_journal(folder, dataset.identity, dataset.version.version, dataset.address)
    if journal.recovered:
        _logger.warning(
            "the last %d bytes of %s were no whole line: nobody was told that they are taken",
            journal.recovered,
            journal.path,
        )
    waiting = {
        record.picture
        for record in journal.records
        if record.who and record.revision > journal.revisions.get(record.picture, 0)
    }
    if waiting:
        _logger.info("%d pictures in %s are not in the store yet", len(waiting), journal.path)
    if waiting or not set(journal.classes) <= set(dataset.version.classes):
        return journal
    if journal.beginning.version == dataset.version.version:
        # What a network proposed upon this version still is upon it.
        return journal
    archive(journal)
    journal.close()
    return open_journal(folder, dataset.identity, dataset.version.version, dataset.address)
