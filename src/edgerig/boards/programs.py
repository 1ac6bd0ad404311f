"""Calling other programs, such as compilers and flashing tools: with a timeout, and noted in the log."""

from __future__ import annotations

import logging
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

_logger = logging.getLogger(__name__)


def call(words: Sequence[str], seconds: float, where: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program without standard input, and return its output as text, whatever its exit code.

    Args:
        words: The command.
        seconds: Timeout.
        where: Its working folder; the present one if None.

    Raises:
        OSError: It does not start. subprocess.TimeoutExpired: It does not end.
    """
    _logger.debug("in %s: %s", where or Path.cwd(), shlex.join(words))
    return subprocess.run(
        words,
        cwd=where,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
