"""``edgerig`` as its command is called, within the process of the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgerig.cli import main

#: Exit code, standard output and standard error of a call.
Answer = tuple[int, str, str]
Call = Callable[..., Answer]


def edgerig(capture: pytest.CaptureFixture[str], *words: Any) -> Answer:
    """What ``edgerig`` with ``words`` answers."""
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    captured = capture.readouterr()
    return int(caught.value.code or 0), captured.out, captured.err
