import subprocess

import pytest
from tests.needs import need

from edgerig.boards.flash import tcl_word

#: Paths as they may be on a disk, all of them more than Tcl takes for a plain word.
PATHS = [
    "/home/me/my fw/firmware.elf",
    "C:/Program Files/fw.elf",
    "/tmp/a$b/[exec rm]/fw.elf",
    "/tmp/{a/fw.elf",
    "/tmp/a}b{/fw.elf",
    "/tmp/back\\slash/fw.elf",
    '/tmp/quo"te;x#/fw.elf',
    "/tmp/two\nlines/fw.elf",
    "/tmp/größe/fw.elf",
]


def test_a_plain_path_is_left_alone() -> None:
    assert tcl_word("/build/fw-1.0/firmware.elf") == "/build/fw-1.0/firmware.elf"


@pytest.mark.parametrize("path", PATHS)
def test_tcl_itself_reads_the_path_back_as_one_word(path: str) -> None:
    need("tclsh")
    word = tcl_word(path)
    script = f"encoding system utf-8\nputs -nonewline [llength [list {word}]]|\nputs -nonewline {word}\n"
    done = subprocess.run(["tclsh"], input=script.encode(), capture_output=True, check=True)
    assert done.stdout.decode() == f"1|{path}"
