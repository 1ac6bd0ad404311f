"""``edgerig firmware``: what it prints, what it leaves, and what it says where something is missing."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from tests.needs import need
from tests.suites.mlperf_tiny.tiny_networks import tiny_network

from edgerig.boards.firmware import read_firmware
from edgerig.cli import main
from edgerig.datasets.mlperf_tiny.benchmarks import benchmark_named
from edgerig.testing import networks


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.dense_tflite_int8(tmp_path_factory.mktemp("net") / "net_int8.tflite", 64, 10)


def call(*words: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main([str(word) for word in words])
    return int(exit_.value.code or 0)


def test_boards_are_listed_with_the_ways_to_reach_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("firmware", "boards") == 0
    lines = capsys.readouterr().out.splitlines()
    (disco,) = [line for line in lines if line.startswith("stm32f746 ")]
    for part in ("STM32F746-Discovery", "216 MHz", "1024 KiB", "320 KiB", "sim:stm32f746, serial:"):
        assert part in disco
    assert any("qemu:mps3-an547" in line for line in lines)
    assert call("firmware", "boards", "--json") == 0
    assert {board["name"] for board in json.loads(capsys.readouterr().out)} >= {"stm32f746", "mps2-an500"}


@pytest.mark.slow
def test_build_then_size(net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "fw"
    assert call("firmware", "build", "--board", "stm32f746", "--model", net, "--out", out) == 0
    assert "flash" in capsys.readouterr().err
    assert call("firmware", "size", out) == 0
    text = capsys.readouterr().out
    for part in ("of 1,048,576 B", "of 327,680 B", "weights", "stack", "core", "code"):
        assert part in text
    assert call("firmware", "size", out, "--json") == 0
    sizes = json.loads(capsys.readouterr().out)
    assert sizes["flash"] == sum(sizes["groups"]["flash"].values()) == (out / "firmware.bin").stat().st_size
    cost = sizes["inference"]
    assert (cost["macs"], cost["allocators"], cost["processor_share"]) == (640, [], None)
    assert cost["instructions_per_mac"] == cost["instructions"]["value"] / 640
    assert 0 < cost["stack"]["value"] < sizes["stack"]
    assert call("firmware", "size", out, "--json", "--rate", "30/min") == 0
    share = json.loads(capsys.readouterr().out)["inference"]["processor_share"]
    assert share == pytest.approx(cost["cycles"]["value"] * 0.5 / 216e6)
    # More than the processor can do is said.
    assert call("firmware", "size", out, "--rate", "1000000/s") == 0
    text = capsys.readouterr().out
    for part in ("640", "a MAC, emulated", "a MAC, modelled", ": more than there is", "none: no function that"):
        assert part in text
    assert call("firmware", "size", out, "--rate", "often") == 2
    assert "10/s" in capsys.readouterr().err


@pytest.mark.slow
def test_build_takes_a_folder_of_generated_c(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("compile", net, "--to", "c", "--cpu", "cortex-m7", "--out", tmp_path / "c") == 0
    words = ("firmware", "build", "--board", "mps2-an500", "--out", tmp_path / "fw", "--json")
    assert call(*words, "--model", tmp_path / "c") == 0
    firmware = json.loads(capsys.readouterr().out)
    assert firmware["board"] == "mps2-an500"
    assert firmware["build"]["kernels"].startswith("cortex-m7")
    assert call("compile", net, "--to", "c", "--cpu", "cortex-m7", "--optimize", "size", "--out", tmp_path / "s") == 0
    assert call(*words, "--model", tmp_path / "s") == 0
    assert json.loads(capsys.readouterr().out)["build"]["kernels"] == "cortex-m7, size"
    # The C compiler works elsewhere: what is relative is so to where we are.
    monkeypatch.chdir(tmp_path)
    assert call("firmware", "build", "--board", "stm32f746", "--out", "relative", "--model", "c") == 0
    assert call(*words, "--model", "c", "--kernels", "portable") == 2
    assert "is C already" in capsys.readouterr().err
    assert call("compile", net, "--to", "c", "--name", "other", "--out", tmp_path / "o") == 0
    assert call(*words, "--model", tmp_path / "o") == 2
    assert "prefix 'other'" in capsys.readouterr().err
    assert call(*words, "--model", tmp_path) == 2
    assert "holds no network in C" in capsys.readouterr().err


@pytest.mark.slow
def test_options_of_the_build_stand_in_the_image(net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("firmware", "build", "--board", "stm32f746", "--model", net, "--out", tmp_path / "fw", "--json")
    assert call(*words, "--no-fpu", "--level", "1", "--clock-hz", "100000000", "--kernels", "portable") == 0
    build = json.loads(capsys.readouterr().out)["build"]
    assert (build["fpu"], build["optimization"], build["clock_hz"]) == ("off", "-O1", "100000000")
    assert build["kernels"] == "portable, speed"
    assert call(*words, "--debug-build", "--optimize", "size") == 0
    build = json.loads(capsys.readouterr().out)["build"]
    assert (build["debug"], build["kernels"]) == ("yes", "cortex-m7, size")


@pytest.mark.slow
def test_a_network_that_is_too_big_leaves_nothing_and_shows_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    big = networks.dense_tflite_int8(tmp_path / "big.tflite", 6000, 200)
    assert call("firmware", "build", "--board", "stm32f746", "--model", big, "--out", tmp_path / "fw") == 1
    text = capsys.readouterr().err
    assert "B too much" in text
    assert "weights" in text
    assert "Traceback" not in text
    assert not (tmp_path / "fw").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("build", "--board", "stm32f7", "--model", "NET", "--out", "x"), 2, "Unknown board 'stm32f7'"),
        (("build", "--board", "stm32f746", "--model", "none.tflite", "--out", "x"), 2, "none.tflite"),
        (("size", "nowhere"), 2, "There is no firmware in nowhere"),
        (("flash", "nowhere"), 2, "There is no firmware in nowhere"),
        (("console", "sim:stm32f746"), 2, "needs a network"),
        (("console", "sim:stm32f7", "--model", "NET"), 2, "stm32f7"),
        (("console", "serial:///dev/nothing-there"), 1, "There is no serial port"),
        (("console", "serial:///dev/x", "--model", "NET"), 2, "built in"),
        (("console", "sim:stm32f746", "--model", "NET", "--kernels", "z80"), 2, "z80"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    words: tuple[str, ...], code: int, said: str, net: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("firmware", *(net if word == "NET" else word for word in words)) == code
    text = capsys.readouterr().err
    assert said in text
    assert "Traceback" not in text


def test_console_of_a_simulated_board(
    net: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("CMD=1\n\nCMD=2\n"))
    assert call("firmware", "console", "sim:stm32f746", "--model", net) == 0
    text, told = capsys.readouterr()
    assert "Times on this console are modelled, not measured: cortex-m7 by instruction, -17 to +49 %." in told
    assert "CMD=1\nnetwork " in text
    assert "FULLY_CONNECTED" in text
    assert "TOTAL TIME=" in text
    assert text.count("Out[") == 10


def test_console_takes_commands_from_the_command_line(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        call("firmware", "console", "sim:stm32f746", "--model", net, "-c", "CMD=3", "-c", "CMD=4", "-c", "CMD=2") == 0
    )
    text = capsys.readouterr().out
    assert "optimization    -O2" in text
    assert text.count("edgerig-firmware 0.1.0 on STM32F746-Discovery") == 2
    assert "TOTAL TIME=" in text


@pytest.mark.slow
def test_console_of_a_board_in_qemu(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need("qemu-system-arm")
    assert call("firmware", "console", "qemu:mps2-an386", "--model", net, "-c", "CMD=2") == 0
    text, told = capsys.readouterr()
    assert "TOTAL TIME=" in text
    assert "they are no times of any chip" in told


@pytest.fixture(scope="module")
def flashable(net: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A firmware that was built once, to be flashed by several tests."""
    fw = tmp_path_factory.mktemp("flashable") / "fw"
    assert call("firmware", "build", "--board", "stm32f746", "--model", net, "--out", fw, "--compiler", "ziglang") == 0
    return fw


def test_flash_calls_the_tool_that_the_board_s_description_names(
    flashable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    fw = flashable
    assert call("firmware", "flash", fw) == 2
    text = capsys.readouterr().err
    assert "openocd or pyocd or st-flash" in text
    assert "apt-get install openocd" in text
    assert call("firmware", "flash", fw, "--dry-run") == 0
    assert capsys.readouterr().out.startswith("openocd -f board/stm32f746g-disco.cfg")
    for name in ("openocd", "st-flash"):
        tool = tools / name
        tool.write_text(f"#!/bin/sh\necho {name} $@ >> {tmp_path}/calls\n")
        tool.chmod(0o755)
    assert call("firmware", "flash", fw, "--dry-run") == 0
    assert "board/stm32f746g-disco.cfg" in capsys.readouterr().out
    assert not (tmp_path / "calls").exists()
    assert call("firmware", "flash", fw) == 0
    assert call("firmware", "flash", fw, "--tool", "st-flash") == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0].startswith("openocd -f board/stm32f746g-disco.cfg")
    assert f"program {fw}/firmware.elf verify" in calls[0]
    assert calls[1] == f"st-flash --reset write {fw}/firmware.bin 0x08000000"
    (tools / "openocd").write_text("#!/bin/sh\necho Error: no device found >&2\nexit 1\n")
    capsys.readouterr()
    assert call("firmware", "flash", fw) == 1
    assert "no device found" in capsys.readouterr().err
    assert call("firmware", "flash", fw, "--tool", "dfu") == 2
    assert "Known: openocd, pyocd, st-flash" in capsys.readouterr().err


def test_a_folder_with_a_blank_reaches_openocd_as_one_word(
    flashable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fw = shutil.copytree(flashable, tmp_path / "my fw")
    assert call("firmware", "flash", fw, "--dry-run", "--tool", "openocd") == 0
    *_, script = shlex.split(capsys.readouterr().out)
    assert script == f"program {{{fw}/firmware.elf}} verify reset exit"


def test_the_console_of_a_bare_name_suggests_the_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("firmware", "console", "stm32f746") == 2
    assert "sim:stm32f746" in capsys.readouterr().err
    assert call("firmware", "console", "mps2-an386") == 2
    assert "qemu:mps2-an386" in capsys.readouterr().err
    assert call("firmware", "console", "stm32f747") == 2
    assert "Did you mean 'stm32f746'?" in capsys.readouterr().err


@pytest.mark.slow
def test_what_is_in_an_emulator_only_cannot_be_flashed(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fw = tmp_path / "fw"
    assert call("firmware", "build", "--board", "mps2-an385", "--model", net, "--out", fw) == 0
    assert call("firmware", "flash", fw) == 2
    assert "qemu:mps2-an385" in capsys.readouterr().err


@pytest.fixture(scope="module")
def keyword_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "keywords.tflite"
    path.write_bytes(tiny_network(benchmark_named("kws01")))
    return path


def test_mlperf_tiny_firmware_tells_what_its_console_takes(
    keyword_net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("firmware", "build", "--board", "stm32f746", "--model", keyword_net, "--console", "mlperf-tiny")
    assert call(*words, "--out", tmp_path / "fw") == 0
    assert "mlperf-tiny kws01: its console takes " in capsys.readouterr().err
    sizes = read_firmware(tmp_path / "fw").sizes
    # The wire is no part of it, and the sample's memory is told as such.
    assert sizes.groups["flash"]["wire"] == 0
    assert 2000 < sizes.groups["flash"]["console"] < 4096
    assert 160 < sizes.groups["ram"]["console"] < 256
    assert sizes.groups["ram"]["sample"] == 496
    assert sum(sizes.groups["ram"].values()) == sizes.ram
    assert call(*words, "--out", tmp_path / "fw", "--benchmark", "ic01") == 2
    assert "no network of ic01" in capsys.readouterr().err
    for option in (("--benchmark", "kws01"), ("--mode", "energy"), ("--baud", "9600")):
        assert call(*words[:-2], "--out", tmp_path / "fw", *option) == 2
        assert f"{option[0]} {option[1]} means nothing" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["sim:stm32f746", pytest.param("qemu:mps2-an386", marks=pytest.mark.slow)])
def test_people_talk_to_an_mlperf_tiny_console(
    address: str, keyword_net: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if address.startswith("qemu:"):
        need("qemu-system-arm")
    words = ("firmware", "console", address, "--model", keyword_net, "--console", "mlperf-tiny")
    assert call(*words, "-c", "name", "-c", "profile", "-c", "db load 2") == 0
    lines = capsys.readouterr().out.split()
    assert lines[0] == "m-timestamp-mode-performance"
    assert lines[2:7] == ["m-init-done", "m-ready", "name", "m-name-dut-[edgerig]", "m-ready"]
    assert lines[-3:] == ["2", "bytes]", "m-ready"]
    monkeypatch.setattr("sys.stdin", io.StringIO("name\n\nnonsense\nprofile%\n"))
    assert call(*words) == 0
    text = capsys.readouterr().out
    assert "nonsense\ne-[Unknown command: nonsense]\nm-ready\n" in text
    # A % of one's own ends no second, empty command.
    assert text.count("\ne-[") == 1
