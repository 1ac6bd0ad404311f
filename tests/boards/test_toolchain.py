"""Which C compilers count as installed."""

from __future__ import annotations

import pytest

from edgerig.boards import toolchain


@pytest.mark.parametrize(
    ("program", "expected"),
    [("arm-none-eabi-gcc", True), ("riscv64-unknown-elf-gcc", True), ("gcc", False), ("", False)],
)
def test_without_ziglang_a_gcc_for_any_board_is_enough(
    monkeypatch: pytest.MonkeyPatch, program: str, expected: bool
) -> None:
    monkeypatch.setattr(toolchain, "zig_compiler", lambda: None)
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: f"/usr/bin/{name}" if name == program else None)
    assert toolchain.toolchain_installed() is expected
