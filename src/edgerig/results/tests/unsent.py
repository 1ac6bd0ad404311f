"""Tests whose history could not be reached: they are kept on this machine, and sent the next time.

Every test is kept before it is sent, so that nothing is lost to whoever dies in between. Records have a name of their
own and are created once, hence sending one twice does no harm, also from two processes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from edgerig import files
from edgerig.errors import StorageError, StoreError
from edgerig.results.tests.folder import FolderRecords
from edgerig.results.tests.history import TestHistory, open_history
from edgerig.results.tests.record import RecordedTest, RecordFile, decode_record, encode_record, is_record_name
from edgerig.text import counted

#: The folder of unsent tests in the state folder, and in it the file that names their history.
UNSENT, ADDRESS = "unsent-tests", "address.txt"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the tests for one history.

    Attributes:
        names: Files of the tests that are in the history.
        earlier: How many of an earlier time were sent with them.
        kept: Where the tests are that could not be sent; None where all are in the history.
        reason: Why they could not.
        held: Why tests of an earlier time could still not be sent, though these were.
    """

    names: tuple[str, ...] = ()
    earlier: int = 0
    kept: Path | None = None
    reason: str = ""
    held: tuple[str, ...] = ()


class Delivery(msgspec.Struct, frozen=True):
    """Names of the tests that were sent, and why others could not be."""

    sent: list[str]
    failed: list[StorageError]


class UnsentTests:
    """The tests on this machine that are for one history.

    Args:
        address: Of the history: a folder, or an address in a store.
        state: Folder that outlives runs; by default `files.state_folder`.
    """

    def __init__(self, address: str | Path, state: Path | None = None) -> None:
        self.address = normal_address(address)
        self.folder = (state or files.state_folder()) / UNSENT / files.sha256(self.address.encode())[:16]

    def names(self) -> list[str]:
        """Files of the tests that wait, the oldest first."""
        return [name for name in FolderRecords(self.folder).names() if is_record_name(name)]

    def keep(self, record: RecordedTest) -> str:
        """Keep a test on this machine until it is sent; raises StorageError."""
        file = encode_record(record)
        if not (self.folder / ADDRESS).exists():
            files.write_text(self.folder / ADDRESS, self.address + "\n")
        FolderRecords(self.folder).create(file.name, file.data)
        return file.name

    def send(self, history: TestHistory) -> Delivery:
        """Send what waits, the oldest first.

        A damaged file is not sent, nor one of whose name the history has a damaged one; the others are. A store that
        does not answer is not asked again.
        """
        sent, failed = [], []
        for name in self.names():
            try:
                # Another process may be sending it, too, and be the first to remove it.
                with contextlib.suppress(FileNotFoundError):
                    data = (self.folder / name).read_bytes()
                    decode_record(name, data)
                    history.put(RecordFile(name, data))
                    (self.folder / name).unlink()
            except OSError as error:
                failed.append(StorageError(f"{self.folder / name} cannot be sent: {error.strerror}."))
            except StorageError as error:
                failed.append(error)
                if isinstance(error, StoreError):
                    break
            else:
                sent.append(name)
        return Delivery(sent, failed)


def open_to_write(address: str) -> TestHistory:
    """The history at ``address``, to append tests to it; raises as `open_history` does."""
    return open_history(address, writing=True)


def record_tests(
    address: str | Path,
    records: Sequence[RecordedTest],
    *,
    state: Path | None = None,
    opened: Callable[[str], TestHistory] = open_to_write,
) -> Sent:
    """Append tests to the history at ``address``, with those that an earlier time could not send.

    Args:
        address: A folder, or an address in a store.
        records: The tests.
        state: See `UnsentTests`. opened: opens the history.

    Returns:
        What became of them. A history that cannot be reached is no error: the tests are kept on this machine.

    Raises:
        StorageError: They could be neither sent nor kept.
    """
    unsent = UnsentTests(address, state)
    try:
        names = [unsent.keep(record) for record in records]
    except StorageError:
        # No place to keep them, such as a home that cannot be written: straight into the history, or not at all.
        history = opened(unsent.address)
        return Sent(names=tuple(history.append(record) for record in records))
    try:
        delivery = unsent.send(opened(unsent.address))
    except StorageError as error:
        return Sent(kept=unsent.folder, reason=error.message)
    if set(names) & set(unsent.names()):
        return Sent(kept=unsent.folder, reason=delivery.failed[0].message)
    held = tuple(error.message for error in delivery.failed)
    return Sent(names=tuple(names), earlier=len(set(delivery.sent) - set(names)), held=held)


def unsent_addresses(state: Path | None = None) -> list[str]:
    """The histories for which tests wait on this machine."""
    addresses = []
    for file in sorted(((state or files.state_folder()) / UNSENT).glob(f"*/{ADDRESS}")):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            address = file.read_text().strip()
            if UnsentTests(address, state).names():
                addresses.append(address)
    return addresses


def lines_of(sent: Sent, address: str | Path) -> list[str]:
    """What to tell a user."""
    if sent.kept is not None:
        return [
            f"(!) The history {address} cannot be reached: {sent.reason}",
            f"    The test is kept in {sent.kept}, and sent with the next one, or by "
            f"`edgerig history send --history {address}`.",
        ]
    lines = [f"Recorded: {name} in {address}" for name in sent.names]
    if sent.earlier:
        lines.append(f"Sent:     {counted(sent.earlier, 'test')} of an earlier time")
    return [*lines, *(f"(!) A test of an earlier time stays on this machine: {reason}" for reason in sent.held)]


def normal_address(address: str | Path) -> str:
    """One text for one history: a folder's absolute path, and an address in a store without the slash at its end."""
    text = str(address)
    return text.rstrip("/") if "://" in text else str(Path(text).absolute())
