"""Building a firmware: what fits, what does not, and that sizes add up."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.micro.test_flash import residual
from tests.needs import need

from edgerig.boards import toolchain as toolchains
from edgerig.boards.board import board_names, firmware_folder, load_board
from edgerig.boards.build import build_firmware, compile_flags, machine_flags
from edgerig.boards.config import write_config, write_sample
from edgerig.boards.firmware import BIN, ELF, MANIFEST, BuildSettings, Firmware, Network, read_firmware
from edgerig.boards.network import check_kernels, kernels_of, network_of
from edgerig.boards.sizes import functions, named, open_elf, table
from edgerig.boards.toolchain import find_toolchain
from edgerig.errors import CompileError, IncompatibleError, SpecError, UnknownNameError, UsageError
from edgerig.install import install_command
from edgerig.micro import Manifest as Compiled
from edgerig.models.files import open_artifact
from edgerig.testing import networks

COMPILERS = ("ziglang", pytest.param("gcc", marks=pytest.mark.slow))
BOARD = load_board("stm32f746")


def settings_with(compiler: str, **given: Any) -> BuildSettings:
    if compiler == "gcc":
        need("arm-none-eabi-gcc")
    return BuildSettings(compiler=compiler, **given)


@pytest.mark.slow
def test_folder_holds_an_elf_an_image_and_a_description(network: Network, tmp_path: Path) -> None:
    made = build_firmware(BOARD, network, tmp_path / "fw")
    assert sorted(path.name for path in (tmp_path / "fw").iterdir()) == [
        "firmware.bin",
        "firmware.elf",
        "firmware.json",
    ]
    assert read_firmware(tmp_path / "fw") == made
    image = (tmp_path / "fw" / BIN).read_bytes()
    assert len(image) == made.sizes.flash
    # The vector table: a stack in RAM, and a reset handler in flash, in Thumb.
    stack, entry = (int.from_bytes(image[place : place + 4], "little") for place in (0, 4))
    assert stack == BOARD.memory.ram.origin + BOARD.memory.ram.stack
    assert entry & 1
    assert BOARD.memory.flash.origin < entry < BOARD.memory.flash.origin + len(image)


def test_manifest_stands_in_the_image_itself(network: Network, tmp_path: Path) -> None:
    made = build_firmware(BOARD, network, tmp_path / "fw")
    image = (tmp_path / "fw" / BIN).read_bytes()
    for text in (*made.build.values(), "edgerig-firmware", "DWT CYCCNT at 216 MHz", network.sha256):
        assert text.encode() in image, text


def test_sizes_add_up_and_name_what_is_large(firmware: Firmware) -> None:
    sizes = firmware.sizes
    assert sizes.fits
    for place, total in (("flash", sizes.flash), ("ram", sizes.ram)):
        assert sum(sizes.groups[place].values()) == total
    assert sizes.groups["flash"]["weights"] == 160
    assert sizes.groups["ram"]["network"] == 26 + 4
    assert sizes.stack == sizes.groups["ram"]["stack"] == 4096
    largest = sizes.symbols[0]
    assert largest.bytes == max(symbol.bytes for symbol in sizes.symbols)
    assert sizes.code["network"] < sizes.groups["flash"]["network"]
    text = table(sizes)
    assert "1,048,576 B" in text
    assert "327,680 B" in text
    assert "core" in text


@pytest.mark.parametrize(
    ("name", "kernels", "fpu", "lacks"),
    [
        ("mps2-an383", "cortex-m3", True, "lacks thumb2"),
        ("virt-rv32imc", "cortex-m0plus", True, "lacks thumb1"),
        ("mps2-an385", "cortex-m7", True, "lacks dsp, fpu, fpv5"),
        ("mps2-an385", "cortex-m4+nofp", True, "lacks dsp"),
        ("mps2-an386", "cortex-m7", True, "lacks fpv5"),
        ("stm32f746", "cortex-m7", False, "without its FPU: it lacks fpu, fpv5"),
        ("stm32f746", "cortex-m4", False, "without its FPU: it lacks fpu"),
    ],
)
def test_kernels_that_the_processor_cannot_run_are_refused(
    name: str, kernels: str, fpu: bool, lacks: str, network: Network, tmp_path: Path
) -> None:
    foreign = msgspec.structs.replace(network, kernels=kernels)
    with pytest.raises(IncompatibleError, match=lacks) as error:
        build_firmware(load_board(name), foreign, tmp_path / "fw", BuildSettings(fpu=fpu))
    assert "portable" in (error.value.hint or "")
    assert not (tmp_path / "fw").exists()


@pytest.mark.parametrize("name", board_names())
@pytest.mark.parametrize("fpu", [True, False])
def test_kernels_of_every_board_run_on_it(name: str, fpu: bool, network: Network) -> None:
    board, settings = load_board(name), BuildSettings(fpu=fpu)
    for kernels in ("portable", kernels_of(board, settings)):
        check_kernels(board, msgspec.structs.replace(network, kernels=kernels), settings)


def test_a_clock_that_the_board_lacks_is_refused_before_anything_is_built(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchains.Toolchain, "run", None)
    with pytest.raises(SpecError, match="300,000,000 is no clock of"):
        build_firmware(BOARD, network, tmp_path / "fw", BuildSettings(clock_hz=300_000_000))
    assert not (tmp_path / "fw").exists()


@pytest.mark.parametrize(("room", "retreats"), [(1024, False), (250, True), (100, True)])
def test_layers_retreat_where_a_board_s_flash_is_short(
    room: int, retreats: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what fits in no way is left to the linker, which knows how large the firmware is."""
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    (tmp_path / "net.tflite").write_bytes(residual())
    flash = msgspec.structs.replace(BOARD.memory.flash, length=room << 10)
    board = msgspec.structs.replace(BOARD, memory=msgspec.structs.replace(BOARD.memory, flash=flash))
    made = network_of(open_artifact(tmp_path / "net.tflite"), board, BuildSettings())
    manifest = msgspec.json.decode((Path(made.folder) / "manifest.json").read_bytes(), type=Compiled)
    fits = manifest.constant_bytes <= max(room - 96, room // 2) << 10
    assert fits == (room > 200)
    assert any(note.startswith("flash: ") for note in manifest.notes) == (retreats and fits)
    assert fits or not any("winograd" in layer.kernel for layer in manifest.layers)


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", board_names())
def test_every_board_builds_with_every_compiler(name: str, compiler: str, network: Network) -> None:
    board = load_board(name)
    made = build_firmware(board, network, None, settings_with(compiler))
    assert made.sizes.fits
    assert made.build["fpu"] == (board.fpu or "none")
    assert compiler in made.build["compiler"]
    needs_fpu = b"vmul.f32" if board.fpu else None
    if needs_fpu and shutil.which("arm-none-eabi-objdump"):
        listing = subprocess.run(["arm-none-eabi-objdump", "-d", made.elf], capture_output=True, check=True).stdout
        assert needs_fpu in listing


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
def test_firmware_without_fpu_has_no_instruction_of_it(compiler: str, network: Network) -> None:
    made = build_firmware(BOARD, network, None, settings_with(compiler, fpu=False))
    assert made.build["fpu"] == "off"
    assert made.sizes.groups["flash"]["library"] > 500
    if shutil.which("arm-none-eabi-objdump"):
        listing = subprocess.run(["arm-none-eabi-objdump", "-d", made.elf], capture_output=True, check=True).stdout
        assert b"\tvmul.f32" not in listing


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "place", "least"),
    [
        ({"weights": "[10][200000]"}, "flash", 2_000_000 - (1 << 20)),
        ({"arena": "static int8_t in[400000]"}, "ram", 72_320),
    ],
)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_what_does_not_fit_is_told_with_a_table_and_nothing_is_left(
    compiler: str, changes: dict[str, str], place: str, least: int, write_network: Any, tmp_path: Path
) -> None:
    with pytest.raises(CompileError, match="does not fit on STM32F746-Discovery") as error:
        build_firmware(BOARD, write_network(**changes), tmp_path / "fw", settings_with(compiler))
    lines = [line.split() for line in error.value.message.splitlines()]
    (total,) = [line for line in lines if line[0] == place]
    over = int(total[1].replace(",", "")) - int(total[4].replace(",", ""))
    assert over >= least
    assert f"({over:,} B too much)" in error.value.message
    assert ("weights" if place == "flash" else "in") in {line[0] for line in lines}
    assert "optimize: size" in (error.value.hint or "")
    assert not (tmp_path / "fw").exists()


def test_just_fitting_ram_leaves_room_for_one_sample_in_the_network_itself(write_network: Any) -> None:
    from edgerig.simulator.simulator import Simulator

    made = build_firmware(BOARD, write_network(), None)
    left = made.sizes.ram_limit - made.sizes.ram
    full = build_firmware(BOARD, write_network(arena=f"static int8_t in[16 + {left - 16}]"), None)
    assert full.sizes.ram_limit - full.sizes.ram < 32
    simulator = Simulator(full.elf, BOARD)
    simulator.run()
    assert simulator.faults == []
    assert b"\x9a\x01" in simulator.read(0)


@pytest.mark.slow
def test_an_error_in_a_network_is_told_in_the_compilers_words(write_network: Any, tmp_path: Path) -> None:
    network = write_network()
    code = (Path(network.folder) / "model.c").read_text()
    (Path(network.folder) / "model.c").write_text("#include <nowhere.h>\n")
    with pytest.raises(CompileError, match=r"cannot compile model\.c:\n.*nowhere\.h"):
        build_firmware(BOARD, network, tmp_path / "fw")
    (Path(network.folder) / "model.c").write_text("int x;\n")
    with pytest.raises(CompileError, match="model_run"):
        build_firmware(BOARD, network, tmp_path / "fw")
    constructor = "static volatile int is; __attribute__((constructor)) static void early(void) { is = 1; }\n"
    (Path(network.folder) / "model.c").write_text(code + constructor)
    with pytest.raises(CompileError, match=r" bytes of the firmware are to be loaded to 0x2\w+, where .* no flash"):
        build_firmware(BOARD, network, tmp_path / "fw")
    assert not (tmp_path / "fw").exists()


@pytest.mark.slow
def test_a_second_build_comes_out_of_the_cache_and_a_changed_one_does_not(
    write_network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []
    compile_ = toolchains.Toolchain.compile

    def counted(self: toolchains.Toolchain, source: Path, *given: Any) -> None:
        calls.append(source)
        compile_(self, source, *given)

    monkeypatch.setattr(toolchains.Toolchain, "compile", counted)
    network = write_network()
    code = Path(network.folder) / "model.c"
    # Unlike the networks of other tests, which may be in the cache already.
    code.write_text(code.read_text().replace("sum >> 8", "sum >> 9"))
    first = build_firmware(BOARD, network, None)
    assert calls
    calls.clear()
    assert build_firmware(BOARD, network, None) == first
    assert calls == []
    code.write_text(code.read_text().replace("sum >> 9", "sum >> 7"))
    assert build_firmware(BOARD, network, None).folder != first.folder
    assert calls


@pytest.fixture(scope="module")
def cache_with_a_firmware(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which nothing is but the firmware of `network` and its objects."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGERIG_CACHE", str(cache))
        build_firmware(BOARD, network, None)
    return cache


@pytest.mark.slow
@pytest.mark.parametrize("file", [ELF, BIN, MANIFEST])
def test_a_firmware_in_the_cache_that_was_changed_is_built_anew_and_that_is_said(
    network: Network, cache_with_a_firmware: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str
) -> None:
    shutil.copytree(cache_with_a_firmware, tmp_path / "cache")
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    said = list[str]()
    first = build_firmware(BOARD, network, None, log=said.append)
    path = Path(first.folder) / file
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert build_firmware(BOARD, network, None, log=said.append) == first
    assert path.read_bytes()[-1] == whole[-1]
    (told,) = said
    assert f"{file} was changed" in told


def test_a_network_in_c_in_the_cache_that_was_changed_is_written_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    artifact = open_artifact(networks.dense_tflite_int8(tmp_path / "net.tflite"))
    weights = Path(network_of(artifact, BOARD, BuildSettings()).folder) / "weights.c"
    whole = weights.read_text()
    weights.write_text(whole.replace("1", "0"))
    assert network_of(artifact, BOARD, BuildSettings()).folder == str(weights.parent)
    assert weights.read_text() == whole


def test_missing_compilers_are_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchains.shutil, "which", lambda name: None)
    with pytest.raises(UsageError, match="arm-none-eabi-gcc") as error:
        find_toolchain("gcc")
    assert "apt-get" in (error.value.hint or "")
    assert find_toolchain("auto").name == "ziglang"
    monkeypatch.setattr(toolchains.importlib.util, "find_spec", lambda name: None)
    for choice in ("auto", "ziglang"):
        with pytest.raises(UsageError, match="not installed") as error:
            find_toolchain(choice)
        assert install_command("boards") in (error.value.hint or "")


def test_auto_takes_gcc_where_there_is_no_ziglang(monkeypatch: pytest.MonkeyPatch) -> None:
    settings_with("gcc")
    monkeypatch.setattr(toolchains.importlib.util, "find_spec", lambda name: None)
    assert find_toolchain("auto").name == "gcc"


def test_a_folder_without_firmware_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="There is no firmware"):
        read_firmware(tmp_path)
    (tmp_path / "firmware.json").write_text("{}")
    with pytest.raises(SpecError, match="There is no firmware"):
        read_firmware(tmp_path)


STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-pedantic", "-Werror")


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "stm32f746" else pytest.mark.slow) for name in board_names()]
)
def test_c_of_the_boards_compiles_without_a_warning(name: str, compiler: str, network: Network, tmp_path: Path) -> None:
    settings = settings_with(compiler)
    board = load_board(name)
    if compiler == "gcc" and board.architecture == "riscv32":
        need("riscv64-unknown-elf-gcc")
    tool = find_toolchain(compiler, board.cpu)  # type: ignore[arg-type]
    write_config(tmp_path, board, network, settings, {"a": 'quoted "\\?', "b": "ü"})
    write_sample(tmp_path / "sample.h", network)
    flags = (*compile_flags(board, network, settings, tool, tmp_path), *STRICT, "-O1")
    folder = firmware_folder() / "boards" / "common"
    shared = {"stm32f746": (folder, folder / "cortex_m"), "virt-rv32imc": (folder, folder / "riscv")}
    common = [path for part in shared.get(name, ()) for path in sorted(part.glob("*.c"))]
    for source in (*common, *((Path(board.folder) / one).resolve() for one in board.sources)):
        done = tool.run((*flags, "-c", str(source), "-o", str(tmp_path / "x.o")), tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), source


@pytest.mark.slow
def test_a_board_of_ones_own_is_built_from_its_folder(network: Network, tmp_path: Path) -> None:
    mine = tmp_path / "myboard"
    shutil.copytree(BOARD.folder, mine)
    code = mine / "board.c"
    code.write_text(code.read_text().replace("../common/", ""))
    text = (mine / "board.toml").read_text()
    (mine / "board.toml").write_text(text.replace("stack = 4096", "stack = 2048"))
    board = load_board(str(mine))
    assert (board.name, board.memory.ram.stack) == ("myboard", 2048)
    made = build_firmware(board, network, tmp_path / "fw")
    assert made.sizes.stack == 2048
    assert build_firmware(load_board(str(mine)), network, None).sizes == made.sizes
    with pytest.raises(UnknownNameError):
        load_board(str(tmp_path / "fw"))


@pytest.mark.slow
@pytest.mark.parametrize("edited", ["code.c", "clock.h"])
def test_sources_that_a_board_shares_with_others_count_wherever_they_lie(
    edited: str, network: Network, tmp_path: Path
) -> None:
    shared, mine = tmp_path / "shared", tmp_path / "myboard"
    shutil.copytree(BOARD.folder, mine)
    shared.mkdir()
    (shared / "clock.h").write_text("#define MINE 1u\n")
    (shared / "code.c").write_text(
        '#include "clock.h"\nextern volatile unsigned er_mine;\nvolatile unsigned er_mine = MINE;\n'
    )
    text = (mine / "board.toml").read_text()
    (mine / "board.toml").write_text(text.replace("sources = [", 'sources = ["../shared/code.c", '))
    (mine / "board.c").write_text((mine / "board.c").read_text().replace("../common/", ""))
    before = build_firmware(load_board(str(mine)), network, None).folder
    assert build_firmware(load_board(str(mine)), network, None).folder == before
    path = shared / edited
    path.write_text(path.read_text().replace("MINE 1u", "MINE 2u") + "/* edited */\n")
    assert build_firmware(load_board(str(mine)), network, None).folder != before


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
def test_each_optimization_makes_another_code(compiler: str, write_network: Any) -> None:
    network = write_network()
    code = Path(network.folder) / "model.c"
    # A loop that each level treats in its own way.
    code.write_text(code.read_text().replace("sum += in[j]", "if (in[0] > 3) { sum ^= in[j]; } sum += in[j]"))
    made = {level: build_firmware(BOARD, network, None, settings_with(compiler, level=level)) for level in "0123s"}
    codes = {level: one.sizes.code["network"] for level, one in made.items()}
    assert codes["0"] != codes["1"] != codes["2"] != codes["3"] != codes["s"], codes
    debug = build_firmware(BOARD, network, None, settings_with(compiler, debug=True))
    assert debug.sizes.code["network"] != codes["0"]
    assert debug.build["optimization"] == "-Og"


def test_flags_name_the_core_and_its_fpu() -> None:
    tool = toolchains.Toolchain("gcc", ("arm-none-eabi-gcc",), "test")
    assert "-mfpu=fpv5-sp-d16" in machine_flags(BOARD, BuildSettings(), tool)
    assert "-mfloat-abi=soft" in machine_flags(BOARD, BuildSettings(fpu=False), tool)
    assert "-mcpu=cortex-m3" in machine_flags(load_board("mps2-an385"), BuildSettings(), tool)


@pytest.mark.parametrize("target", ["thumb-freestanding-eabi", "riscv64-freestanding"])
def test_symbols_are_those_that_pyelftools_reads(target: str, tmp_path: Path) -> None:
    (tmp_path / "x.c").write_text(
        "static int kept = 3;\nint y[4];\nint other(int);\nint f(void) { return other(kept++); }\n"
    )
    tool, elf = find_toolchain("ziglang"), tmp_path / "x.o"
    assert (
        tool.run(("-target", target, "-O0", "-fno-sanitize=all", "-c", "x.c", "-o", str(elf)), tmp_path).returncode == 0
    )
    entries = [entry for entry in open_elf(elf).get_section_by_name(".symtab").iter_symbols() if entry.name]
    entries = [entry for entry in entries if not entry.name.startswith("$")]
    code = {entry.name for entry in entries if entry["st_info"]["type"] == "STT_FUNC"}
    assert code == {"f"}
    assert named(open_elf(elf)) == {
        entry.name: entry["st_value"] & ~1 if entry.name in code else entry["st_value"] for entry in entries
    }
    assert functions(open_elf(elf)) == [
        (entry["st_value"] & ~1, entry["st_size"], entry.name) for entry in entries if entry.name in code
    ]


def test_what_is_no_elf_of_an_arm_is_refused(tmp_path: Path) -> None:
    from edgerig.errors import ModelError

    for content in (b"", b"\x7fELF", os.urandom(200)):
        (tmp_path / "x.elf").write_bytes(content)
        with pytest.raises(ModelError, match="no ELF file"):
            open_elf(tmp_path / "x.elf")
    with pytest.raises(ModelError, match="Cannot read"):
        open_elf(tmp_path / "none.elf")
    with pytest.raises(ModelError, match="ARM"):
        open_elf(Path(shutil.which("sh") or "/bin/sh").resolve())


def test_what_is_no_tflite_file_is_told_its_way_there(tmp_path: Path) -> None:
    artifact = open_artifact(networks.dense_tflite(tmp_path / "net.tflite"))
    other = msgspec.structs.replace(artifact, format="keras", path="my net.keras")
    with pytest.raises(IncompatibleError, match="not keras") as caught:
        network_of(other, BOARD, BuildSettings())
    assert "compile 'my net.keras' --to float32" in (caught.value.hint or "")


def test_a_network_in_onnx_is_told_what_boards_take_of_onnx(tmp_path: Path) -> None:
    artifact = open_artifact(networks.dense_onnx(tmp_path / "my net.onnx"))
    with pytest.raises(CompileError, match=r"my net\.onnx cannot be compiled: .* \(Gemm\)") as caught:
        network_of(artifact, BOARD, BuildSettings())
    assert "Networks become C as TFLite" in (caught.value.hint or "")
