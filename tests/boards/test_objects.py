"""Objects are compiled once for the same code, flags and compiler, and anew when any of these changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edgerig import files
from edgerig.boards import toolchain as toolchains
from edgerig.boards.board import load_board
from edgerig.boards.build import build_firmware
from edgerig.boards.firmware import Network
from edgerig.boards.objects import object_key
from edgerig.boards.toolchain import Toolchain, find_toolchain
from edgerig.errors import CompileError

CODE = '#include "size.h"\n#include <stdint.h>\nint32_t f(void);\nint32_t f(void) { return SIZE; }\n'


@pytest.fixture
def unit(tmp_path: Path) -> Callable[..., tuple[Path, tuple[str, ...]]]:
    """A file in a folder of its own and its flags; ``header`` lies in another folder."""

    def write(folder: str, code: str = CODE, header: str = "#define SIZE 3\n") -> tuple[Path, tuple[str, ...]]:
        source, include = tmp_path / folder / "f.c", tmp_path / folder / "include"
        include.mkdir(parents=True)
        source.write_text(code)
        (include / "size.h").write_text(header)
        return source, (*find_toolchain().machine("cortex-m7", ""), "-O1", "-ffreestanding", f"-I{include}")

    return write


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Names of the files that a compiler was started for; the cache is empty at first."""
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    started: list[str] = []
    run = Toolchain.run

    def counted(self: Toolchain, words: tuple[str, ...], where: Path) -> object:
        started.extend(Path(word).name for word in words if word.endswith((".c", ".S")))
        return run(self, words, where)

    monkeypatch.setattr(Toolchain, "run", counted)
    return started


def key_of(source: Path, flags: tuple[str, ...], compiler: str = "cc 1") -> str | None:
    return object_key(source, flags, compiler)


def test_the_key_is_that_of_the_content_wherever_it_lies(unit: Callable[..., tuple[Path, tuple[str, ...]]]) -> None:
    assert key_of(*unit("a")) == key_of(*unit("b")) is not None


def test_the_key_knows_every_file_flag_and_compiler(unit: Callable[..., tuple[Path, tuple[str, ...]]]) -> None:
    source, flags = unit("a")
    keys = [
        key_of(source, flags),
        key_of(source, (*flags, "-O2")),
        key_of(source, flags, "cc 2"),
        key_of(*unit("header", header="#define SIZE 4\n")),
        key_of(*unit("code", code=CODE.replace("SIZE;", "-SIZE;"))),
        key_of(source, flags[:-1]),
    ]
    assert None not in keys
    assert len({*keys}) == len(keys)


def test_the_key_follows_headers_of_headers_and_circles(unit: Callable[..., tuple[Path, tuple[str, ...]]]) -> None:
    keys = set()
    for inner in ("1", "2"):
        source, flags = unit(inner, header='#include "../include/inner.h"\n')
        (source.parent / "include" / "inner.h").write_text(f'#include "size.h"\n#define SIZE {inner}\n')
        keys.add(key_of(source, flags))
    assert len(keys) == 2
    assert None not in keys


def test_the_nearer_of_two_headers_counts(unit: Callable[..., tuple[Path, tuple[str, ...]]]) -> None:
    source, flags = unit("a")
    before = key_of(source, flags)
    (source.parent / "size.h").write_text("#define SIZE 9\n")
    assert key_of(source, flags) != before


@pytest.mark.parametrize(
    "code",
    ["#define H <stdint.h>\n#include H\n", "const char *f = __FILE__;\n", 'asm(".incbin \\"x\\"");\n'],
    ids=["header-by-macro", "path", "incbin"],
)
def test_what_depends_on_more_has_no_key(code: str, unit: Callable[..., tuple[Path, tuple[str, ...]]]) -> None:
    assert key_of(*unit("a", code=code)) is None


def test_debug_information_names_paths_and_has_no_key(unit: Callable[..., tuple[Path, tuple[str, ...]]]) -> None:
    source, flags = unit("a")
    assert key_of(source, (*flags, "-g")) is None


def test_an_object_is_compiled_once_and_equal_to_the_compilers(
    unit: Callable[..., tuple[Path, tuple[str, ...]]], compiled: list[str], tmp_path: Path
) -> None:
    tool = find_toolchain()
    contents = []
    for folder in ("a", "b"):
        source, flags = unit(folder)
        tool.compile(source, source.with_suffix(".o"), flags, tmp_path)
        contents.append(source.with_suffix(".o").read_bytes())
    assert compiled == ["f.c"]
    tool.run((*flags, "-g0", "-c", str(source), "-o", str(tmp_path / "anew.o")), tmp_path)
    assert contents == [(tmp_path / "anew.o").read_bytes()] * 2


def test_a_damaged_object_is_compiled_anew(
    unit: Callable[..., tuple[Path, tuple[str, ...]]], compiled: list[str], tmp_path: Path
) -> None:
    tool, (source, flags) = find_toolchain(), unit("a")
    output = source.with_suffix(".o")
    tool.compile(source, output, flags, tmp_path)
    whole = output.read_bytes()
    (stored,) = (path for path in (files.cache_folder() / "firmware" / "objects").rglob("*") if path.is_file())
    for damaged in (stored.read_bytes()[:-1], b"", bytes([stored.read_bytes()[0] ^ 1]) + stored.read_bytes()[1:]):
        stored.write_bytes(damaged)
        compiled.clear()
        tool.compile(source, output, flags, tmp_path)
        assert compiled == ["f.c"]
        assert output.read_bytes() == whole


def test_what_does_not_compile_is_not_kept(
    unit: Callable[..., tuple[Path, tuple[str, ...]]], compiled: list[str], tmp_path: Path
) -> None:
    source, flags = unit("a", code="int x\n")
    for _ in range(2):
        with pytest.raises(CompileError, match=r"cannot compile f\.c"):
            find_toolchain().compile(source, source.with_suffix(".o"), flags, tmp_path)
    assert compiled == ["f.c", "f.c"]


@pytest.mark.slow
def test_a_second_network_compiles_only_what_knows_of_it(network: Network, compiled: list[str]) -> None:
    board = load_board("stm32f746")
    build_firmware(board, network, None)
    assert {"er_core.c", "board.c", "clock.c", "text.c", "main.c"} <= {*compiled}
    compiled.clear()
    build_firmware(board, msgspec.structs.replace(network, tensor_sum=27), None)
    assert "main.c" in compiled
    assert not {"er_core.c", "er_rx.c", "board.c", "clock.c", "text.c", "model.c", "weights.c"} & {*compiled}


def test_zig_is_started_without_a_python(monkeypatch: pytest.MonkeyPatch) -> None:
    program, command = toolchains.zig_compiler() or ("", "")
    assert (Path(program).stem, command) == ("zig", "cc")
    monkeypatch.setattr(toolchains.importlib.util, "find_spec", lambda name: None)
    assert toolchains.zig_compiler() is None
