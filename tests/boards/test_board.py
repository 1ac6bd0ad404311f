"""Descriptions of boards: all that there are can be read, and a wrong one says where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerig.boards import board as boards
from edgerig.boards.board import board_names, firmware_folder, load_board, read_board
from edgerig.boards.firmware import BuildSettings
from edgerig.errors import SpecError, StorageError, UnknownNameError
from edgerig.settings import convert_settings
from edgerig.targets.emulated.base import BoardSettings


def test_boards_are_those_that_are_promised() -> None:
    assert board_names("unicorn") == ["stm32f746"]
    assert board_names("qemu") == [
        "mps2-an383",
        "mps2-an385",
        "mps2-an386",
        "mps2-an500",
        "mps2-an505",
        "mps3-an547",
        "netduinoplus2",
        "virt-rv32imc",
    ]
    assert set(board_names()) >= {"stm32f746", "netduinoplus2"}


@pytest.mark.parametrize("name", board_names())
def test_description_is_whole(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.title
    assert all((Path(board.folder) / source).is_file() for source in board.sources)
    assert board.memory.ram.stack >= 2048
    assert board.cycles is None or board.cycles.core == board.cpu
    assert board.lines.wire.base != board.lines.console.base
    assert board.machine or board.simulator != "qemu"


def test_the_discovery_board_has_its_chip_s_memory_and_says_how_to_flash() -> None:
    board = load_board("stm32f746")
    assert (board.memory.flash.origin, board.memory.flash.length) == (0x0800_0000, 1024 * 1024)
    assert (board.memory.ram.origin, board.memory.ram.length) == (0x2000_0000, 320 * 1024)
    assert board.clock_hz == 216_000_000
    assert set(board.flash) == {"openocd", "pyocd", "st-flash"}
    assert board.cycles is not None
    assert board.cycles.core == "cortex-m7"


@pytest.mark.parametrize("clock_hz", [1_000_000, 16_000_001, 25_000_000, 49_000_000, 50_500_000, 217_000_000])
def test_clocks_that_a_board_cannot_make_are_refused_with_those_that_it_can(clock_hz: int) -> None:
    with pytest.raises(SpecError, match="is no clock of STM32F746") as error:
        load_board("stm32f746").check_clock(clock_hz)
    assert "16 or 50 to 216; 216 MHz by default" in (error.value.hint or "")


def test_clocks_that_a_board_can_make_are_taken() -> None:
    board = load_board("stm32f746")
    for clock_hz in (None, 16_000_000, 50_000_000, 143_000_000, 216_000_000):
        board.check_clock(clock_hz)
    load_board("mps2-an500").check_clock(25_000_000)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"overclock": 216}, "not between 217 and 288 MHz"),
        ({"overclock": 289}, "not between 217 and 288 MHz"),
        ({"overclock": 288, "clock_hz": 216_000_000}, "clock_hz and overclock both"),
        ({"clock_hz": 288_000_000}, "288,000,000 is no clock"),
    ],
)
def test_a_clock_above_the_data_sheet_is_asked_for_by_name_and_within_what_the_code_can_set(
    settings: dict[str, int], words: str
) -> None:
    board = load_board("stm32f746")
    with pytest.raises(SpecError, match=words):
        BuildSettings(**settings).clock_on(board)
    assert BuildSettings(overclock=288).clock_on(board) == 288_000_000
    with pytest.raises(SpecError, match="cannot be overclocked"):
        BuildSettings(overclock=200).clock_on(load_board("mps2-an500"))


@pytest.mark.parametrize("name", [*board_names("qemu")])
def test_boards_with_one_clock_take_no_other(name: str) -> None:
    with pytest.raises(SpecError, match="always runs at"):
        load_board(name).check_clock(5_000_000)


@pytest.mark.parametrize("level", [0, 1, 2, 3, "0", "1", "2", "3", "s"])
def test_level_is_a_number_or_a_letter(level: int | str) -> None:
    settings = convert_settings(BoardSettings, {"level": level}, "target")
    assert settings == BoardSettings(level=str(level))  # type: ignore[arg-type]
    assert isinstance(settings, BoardSettings)
    assert settings.level == str(level)


@pytest.mark.parametrize("level", [4, -1, "4", "z", "", 2.5, True])
def test_other_levels_are_refused(level: object) -> None:
    with pytest.raises(SpecError, match="level"):
        convert_settings(BoardSettings, {"level": level}, "target")


@pytest.mark.parametrize("name", ["", "stm32f7461", "../core", "common", "/etc"])
def test_unknown_boards_are_told_with_those_that_there_are(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"Known: .*stm32f746"):
        load_board(name)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("clock_hz = 216_000_000", "clock_hz = 0"), r"clock_hz"),
        (("\nclock_hz = 216_000_000", "\nclock_khz = 216"), r"clock"),
        (('cpu = "cortex-m7"', 'cpu = "z80"'), r"z80"),
        (("length = 327_680", 'length = "many"'), r"memory.ram.length"),
        (("[lines.console]", "[lines.consoles]"), r"lines"),
        (('title = "STM32F746-Discovery"', "title = "), r"TOML|Invalid|line"),
    ],
)
def test_a_wrong_description_says_where(change: tuple[str, str], what: str, tmp_path: Path) -> None:
    text = (firmware_folder() / "boards" / "stm32f746" / "board.toml").read_text()
    assert change[0] in text
    path = tmp_path / "mine" / "board.toml"
    path.parent.mkdir()
    path.write_text(text.replace(*change))
    with pytest.raises(SpecError, match=what):
        read_board(path)


def test_firmware_is_found_beside_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "edgerig"
    (package / "firmware" / "core").mkdir(parents=True)
    (package / "firmware" / "core" / "er_core.c").touch()
    monkeypatch.setattr(boards.edgerig, "__file__", str(package / "__init__.py"))
    assert firmware_folder() == package / "firmware"


def test_a_package_without_firmware_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards.edgerig, "__file__", str(tmp_path / "site-packages" / "edgerig" / "__init__.py"))
    with pytest.raises(StorageError, match="not in"):
        firmware_folder()
