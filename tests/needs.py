"""What tests need beside Python packages: where it is missing they are skipped, and where CI is set they fail."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

#: Program to the Debian package that brings it. `.ci/run` installs them all.
PACKAGES = {
    "Xvfb": "xvfb",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "cc": "gcc libc6-dev",
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "cmake": "cmake",
    "flatc": "flatbuffers-compiler",
    "g++": "g++",
    "gcc": "gcc libc6-dev",
    "gdb-multiarch": "gdb-multiarch",
    "ip": "iproute2",
    "make": "make",
    "nginx": "nginx-light",
    "node": "nodejs",
    "openssl": "openssl",
    "qemu-system-arm": "qemu-system-arm",
    "qemu-system-riscv32": "qemu-system-misc",
    "qemu-system-xtensa": "qemu-system-misc",
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf",
    "setpriv": "util-linux",
    "systemd-analyze": "systemd",
    "tclsh": "tcl",
    "xdotool": "xdotool",
    "xtensa-lx106-elf-gcc": "gcc-xtensa-lx106 picolibc-xtensa-lx106-elf",
}


def need(*programs: str) -> None:
    """Skip the test, or fail it in CI, unless all ``programs`` are installed."""
    for program in programs:
        if shutil.which(program, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin") is None:
            _lack(f"{program} is not installed: apt-get install {PACKAGES[program]}")


def need_module(module: str, package: str) -> None:
    """Skip the test, or fail it in CI, unless the Python ``package`` with ``module`` is installed."""
    if importlib.util.find_spec(module) is None:
        _lack(f"{module} is not installed: pip install {package}")


def _lack(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{reason} (must be there where CI is set)")
    pytest.skip(reason)


def need_torch(module: str = "torch") -> None:
    """Skip, in CI too, unless PyTorch or what belongs to it is installed: it is too large for the extra `dev`."""
    extra = "litert-torch" if module == "litert_torch" else "torch"
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: pip install '.[{extra}]'", allow_module_level=True)


def need_tensorflow() -> None:
    """Skip, in CI too, unless TensorFlow is installed: it is too large for the extra `dev`."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("tensorflow is not installed: pip install '.[tensorflow]'", allow_module_level=True)


def need_engine(module: str, extra: str) -> None:
    """Skip, in CI too, unless an engine that the extra `dev` leaves out is installed beside edgerig."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: pip install '.[{extra}]'", allow_module_level=True)
