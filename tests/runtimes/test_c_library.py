"""Libraries are built once for the same code, flags, compiler and processor, and anew when any of these changes."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgerig.runtimes import c_library
from edgerig.runtimes.c_library import build_library, library_key

CODE = '#include <stdint.h>\n#include "size.h"\nint32_t f(void);\nint32_t f(void) { return SIZE; }\n'
CC = shutil.which("cc")
pytestmark = pytest.mark.skipif(CC is None, reason="there is no C compiler called cc")
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a folder of C."""

    def folder(name: str, code: str = CODE, size: str = "3") -> Path:
        place = tmp_path / name
        place.mkdir()
        (place / "f.c").write_text(code)
        (place / "size.h").write_text(f"#define SIZE {size}\n")
        return place

    return folder


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often the compiler made a library; the cache is empty at first."""
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    log, program = tmp_path / "log", tmp_path / "programs" / "cc"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncase " $* " in *" -o "*) echo >> "{log}";; esac\nexec {CC} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return lambda: len(log.read_text()) if log.exists() else 0


def answer(library: Path) -> int:
    return int(ctypes.CDLL(str(library)).f())


def key(folder: Path, *flags: str, compiler: str | None = None) -> str | None:
    return library_key(folder, [compiler or CC or "cc"], ["-O2", "-std=c99", *flags])


def test_it_is_built_once_wherever_its_files_lie(write: Write, built: Callable[[], int], tmp_path: Path) -> None:
    for number, name in enumerate("ab"):
        build_library(write(name), tmp_path / f"{number}.so", "2")
        assert answer(tmp_path / f"{number}.so") == 3
    assert built() == 1
    build_library(write("c", size="4"), tmp_path / "other.so", "2")
    assert answer(tmp_path / "other.so") == 4
    build_library(tmp_path / "c", tmp_path / "level.so", "1")
    assert built() == 3


def test_one_that_was_damaged_is_built_anew(write: Write, built: Callable[[], int], tmp_path: Path) -> None:
    build_library(write("a"), tmp_path / "first.so", "2")
    (stored,) = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    content = stored.read_bytes()
    for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), b""):
        stored.write_bytes(damaged)
        before = built()
        build_library(tmp_path / "a", tmp_path / "again.so", "2")
        assert built() == before + 1
        assert stored.read_bytes() == content
    assert answer(tmp_path / "again.so") == 3


def test_without_a_place_for_the_cache_it_is_built_each_time(
    write: Write, built: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "file"))
    write("a")
    for number in (1, 2):
        build_library(tmp_path / "a", tmp_path / f"{number}.so", "2")
        assert answer(tmp_path / f"{number}.so") == 3
        assert built() == number


def test_the_key_knows_every_file_and_flag(write: Write) -> None:
    first = write("a")
    (two := write("two")).joinpath("g.c").write_text("int g;\n")
    other_name = write("name")
    (other_name / "f.c").rename(other_name / "g.c")
    # Of the same meaning to the preprocessor, and yet another file.
    comment = write("comment", code=CODE + "/* said */\n")
    keys = [
        *map(
            key,
            (
                first,
                two,
                other_name,
                comment,
                write("header", size="4"),
                write("code", CODE.replace("SIZE;", "-SIZE;")),
            ),
        ),
        key(first, "-O3"),
        key(first, "-DX"),
    ]
    assert keys[0] == key(write("same"))
    assert None not in keys
    assert len({*keys}) == len(keys)


def test_the_key_knows_the_headers_of_the_system(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = tmp_path / "system"
    system.mkdir()
    monkeypatch.setenv("C_INCLUDE_PATH", str(system))
    (system / "outer.h").write_text("#include <inner.h>\n")
    folder, keys = write("a", code="#include <outer.h>\n" + CODE), []
    for macro in ("1", "2"):
        (system / "inner.h").write_text(f"#define UNUSED_AS_YET {macro}\n")
        keys.append(key(folder))
    assert None not in keys
    assert keys[0] != keys[1]
    (system / "inner.h").unlink()
    assert key(folder) is None


def test_the_key_knows_the_compiler_and_what_it_adds(write: Write, tmp_path: Path) -> None:
    folder, keys = write("a"), [key(write("b"))]
    for number, flag in enumerate(("", "-mtune=generic", "-DX")):
        program = tmp_path / f"cc{number}"
        program.write_text(f'#!/bin/sh\nexec {CC} {flag} "$@"\n')
        program.chmod(0o755)
        keys.append(key(folder, compiler=str(program)))
    # The same place and size at another time: a compiler that was installed anew.
    shutil.copy2(tmp_path / "cc0", tmp_path / "cc")
    keys.append(key(folder, compiler=str(tmp_path / "cc")))
    (tmp_path / "cc").touch()
    keys.append(key(folder, compiler=str(tmp_path / "cc")))
    assert None not in keys
    assert len({*keys}) == len(keys)


def test_the_key_knows_the_processor_where_flags_mean_it(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write("a")
    native = next(flag for flag in {*c_library.VECTORS.values()} if c_library._knows((CC or "cc",), flag))
    keys = {}
    for processor in ("one", "another", None):
        monkeypatch.setattr(c_library, "_processor", lambda processor=processor: processor)
        keys[processor] = (key(folder, native), key(folder))
    assert keys["one"][0] != keys["another"][0]
    assert keys[None][0] is None
    assert None not in {keys["one"][0], keys["one"][1]}
    assert len({plain for _, plain in keys.values()}) == 1


def test_a_processor_is_told_by_what_it_can() -> None:
    if not Path("/proc/cpuinfo").exists():
        assert c_library._processor() is None
        return
    text = c_library._processor()
    assert text is not None
    assert "flags" in text or "Features" in text
    assert "MHz" not in text, "it changes from call to call"


@pytest.mark.parametrize(
    "line", ["const char *f = __FILE__;", "const char *d = __DATE__;", '__asm__(".incbin \\"x\\"");']
)
def test_what_may_differ_for_the_same_text_has_no_key(write: Write, line: str) -> None:
    assert key(write("a", code=f"{CODE}{line}\n")) is None


def test_ziglang_which_keeps_what_it_compiled_has_no_key(write: Write) -> None:
    assert library_key(write("a"), ["python", "-m", "ziglang", "cc"], ["-O2"]) is None


def test_a_compiler_that_cannot_preprocess_has_no_key(write: Write) -> None:
    assert key(write("a"), compiler="false") is None
    assert key(write("b"), compiler="no-such-compiler") is None
