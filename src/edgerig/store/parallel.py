"""Work on many items in several threads: as many are taken up as there are threads, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Requests at a time: most of each is waiting for the server.
WORKERS = 16


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item], workers: int = WORKERS) -> Iterator[Result]:
    """The results of ``work`` for each item, as they are ready; two items for each thread are under way.

    An error of one ends it: what is under way is waited for, nothing else begins, and the error is raised here. So does
    Ctrl-C, and whoever leaves the loop early.
    """
    pending: set[Future[Result]] = set()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="store")
    try:
        for item in items:
            pending.add(pool.submit(work, item))
            if len(pending) >= 2 * workers:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
