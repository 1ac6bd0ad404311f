"""All C is formatted as .clang-format says, and formatting it again changes nothing."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for folder in ("firmware", "src") for path in (ROOT / folder).rglob("*.[ch]"))
#: Its version is pinned: another one breaks lines elsewhere.
CLANG_FORMAT = next(
    path.locate()
    for path in distribution("clang-format").files or ()
    if path.name == "clang-format" and path.locate().is_file()
)


def test_c_is_formatted() -> None:
    assert len(SOURCES) > 90
    command = [str(CLANG_FORMAT), "--dry-run", "-Werror", *map(str, SOURCES)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert not done.returncode, done.stderr[:2000]


def test_other_c_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.c"
    path.write_text("int one(void) { return 1; }\n")
    command = [str(CLANG_FORMAT), f"--style=file:{ROOT / '.clang-format'}", "--dry-run", "-Werror", str(path)]
    assert subprocess.run(command, capture_output=True, check=False).returncode


@pytest.mark.parametrize("folder", ["src/edgerig/micro/kernels/portable/c", "src/edgerig/micro/kernels/cortex_m"])
def test_kernels_are_called_by_their_prefix(folder: str) -> None:
    prefix = "micro_" if "portable" in folder else "er_"
    for path in sorted((ROOT / folder).rglob("*.[chS]")):
        assert path.name.startswith(prefix), path
        if path.suffix == ".c":
            heads = re.findall(r"^(?!static|typedef|#)\w[\w *]*?[ *](\w+)\([^;]*$", path.read_text(), re.MULTILINE)
            assert all(name.startswith(prefix) for name in heads), (path.name, heads)
