"""A writer of a history, as a process: ``python appending.py ADDRESS RECORD.json WRITER COUNT``.

Appends records whose descriptions are ``WRITER/0`` to ``WRITER/COUNT-1``, and says each on standard output only when it
is in the history.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from edgerig.results.tests.history import open_history
from edgerig.results.tests.record import RecordedTest


def main(address: str, template: Path, writer: str, count: int) -> None:
    record = msgspec.json.decode(template.read_bytes(), type=RecordedTest)
    history = open_history(address)
    for number in range(count):
        history.append(msgspec.structs.replace(record, description=f"{writer}/{number}"))
        print(f"{writer}/{number}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
