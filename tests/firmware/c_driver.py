"""Programs of this machine that answer lines by calling functions of the boards' C, under sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.needs import need

SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def build_driver(folder: Path, driver: str, sources: Sequence[Path], includes: Sequence[Path]) -> Path:
    """The program of the C code ``driver`` with ``sources``."""
    need("gcc")
    (folder / "driver.c").write_text(driver)
    paths = [f"-I{path}" for path in (folder, *includes)]
    command = ["gcc", "-std=c99", *SANITIZERS, *paths, folder / "driver.c", *sources, "-o", folder / "driver"]
    subprocess.run(command, check=True)
    return folder / "driver"


def answers(program: Path, lines: Sequence[str]) -> list[str]:
    """What a driver answers to each line."""
    done = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n")[:-1]
