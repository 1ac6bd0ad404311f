"""Finds the arena size of a network in a separate process (``python -m edgerig.runtimes.tflm_arena``).

Not all kernels of TFLite Micro check whether they got memory: an arena that is slightly too small crashes the process.
One that is far too small gives an error message.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgerig.bounded.stderr import captured_stderr
from edgerig.errors import InferenceError

#: Seconds after which a child is ended.
TIMEOUT = 120.0
#: TFLite Micro's message for an arena that is too small; a larger arena does not help with any other error.
TOO_SMALL = re.compile(r"Failed to (allocate|resize buffer)|Too many buffers|missing: \d+")


def arena_for(path: Path, first: int, largest: int) -> int:
    """The size in bytes of an arena in which the network ``path`` fits: ``first``, doubled as often as necessary.

    Raises:
        InferenceError: TFLite Micro refuses the network, or up to ``largest`` bytes are not enough; in its words.
    """
    size = first
    while True:
        command = [sys.executable, "-m", __name__, str(path), str(size), str(largest)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InferenceError(f"The arena of {path.name} could not be found out: {error}.") from error
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        last: dict[str, Any] = lines[-1] if lines else {}
        if "fits" in last:
            return int(last["fits"])
        if "refused" in last:
            raise InferenceError(last["refused"])
        # The child crashed with the size that it reported last.
        tried = int(last.get("try", size))
        if done.returncode >= 0 or not lines:
            words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise InferenceError(f"The arena of {path.name} could not be found out: {words[-1]}.")
        if tried >= largest:
            raise InferenceError(f"TFLite Micro dies of {path.name}, however large its arena is.")
        size = min(2 * tried, largest)


def attempts(data: bytes, first: int, largest: int, tell: Any) -> None:
    """Try larger and larger arenas for the file ``data``; ``tell`` is called with each size before it is tried."""
    from tflite_micro import runtime

    size = first
    while True:
        tell({"try": size})
        try:
            with captured_stderr() as text:
                runtime.Interpreter.from_bytes(data, arena_size=size)
            tell({"fits": size})
            return
        except (RuntimeError, ValueError, MemoryError) as error:
            words = text()
            if not TOO_SMALL.search(words) or size >= largest:
                tell({"refused": reason(words) or str(error)})
                return
            size = min(2 * size, largest)


def reason(words: str) -> str:
    """The first line with the reason, without the position in TFLite Micro's sources."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return re.sub(r"^tensorflow/\S+?\.cc:?\d*\s*", "", lines[0]).rstrip(".") if lines else ""


def main(arguments: Sequence[str]) -> None:
    """``PATH FIRST LARGEST``: one JSON object per line, the last of which is the answer."""
    path, first, largest = arguments

    def tell(what: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    attempts(Path(path).read_bytes(), int(first), int(largest), tell)


if __name__ == "__main__":
    main(sys.argv[1:])
