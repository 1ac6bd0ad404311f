"""Instruction sets of processors by LLVM's names, and which of them this machine has, as Linux tells."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from pathlib import Path

from edgerig.measure import linux

#: LLVM's names of what a compiler makes instructions of, and Linux's flags of it in ``/proc/cpuinfo``.
_X86 = {
    "sse3": "pni", "ssse3": "ssse3", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "sse4a": "sse4a", "popcnt": "popcnt",
    "avx": "avx", "f16c": "f16c", "fma": "fma", "fma4": "fma4", "xop": "xop", "avx2": "avx2", "bmi": "bmi1",
    "bmi2": "bmi2", "lzcnt": "abm", "movbe": "movbe", "adx": "adx", "aes": "aes", "pclmul": "pclmulqdq",
    "gfni": "gfni", "sha": "sha_ni", "vaes": "vaes", "vpclmulqdq": "vpclmulqdq", "avxvnni": "avx_vnni",
    "avx512f": "avx512f", "avx512bw": "avx512bw", "avx512cd": "avx512cd", "avx512dq": "avx512dq",
    "avx512vl": "avx512vl", "avx512vnni": "avx512_vnni", "avx512bf16": "avx512_bf16", "avx512fp16": "avx512_fp16",
    "avx512ifma": "avx512ifma", "avx512vbmi": "avx512vbmi", "avx512vbmi2": "avx512_vbmi2",
    "avx512bitalg": "avx512_bitalg", "avx512vpopcntdq": "avx512_vpopcntdq", "amx-tile": "amx_tile",
    "amx-int8": "amx_int8", "amx-bf16": "amx_bf16",
}  # fmt: skip
_ARM = {
    "neon": "asimd", "fp-armv8": "fp", "crc": "crc32", "aes": "aes", "sha2": "sha2", "lse": "atomics",
    "rdm": "asimdrdm", "fullfp16": "asimdhp", "dotprod": "asimddp", "i8mm": "i8mm", "bf16": "bf16",
    "fp16fml": "asimdfhm", "jsconv": "jscvt", "complxnum": "fcma", "rcpc": "lrcpc", "sve": "sve",
    "sve2": "sve2", "sme": "sme",
}  # fmt: skip
_FLAGS = {"x86_64": _X86, "aarch64": _ARM}
#: Other names of the same architecture.
_SAME = {"amd64": "x86_64", "arm64": "aarch64"}


def architecture(name: str | None = None) -> str:
    """The architecture that a triple begins with, or this machine's, by Linux's name.

    >>> architecture("arm64-unknown-linux-gnu"), architecture("x86_64-conda-linux-gnu")
    ('aarch64', 'x86_64')
    """
    first = (name or platform.machine()).partition("-")[0].lower()
    return _SAME.get(first, first)


def lacking(machine: str, features: Iterable[str], root: Path = Path("/")) -> tuple[str, ...] | None:
    """Those of ``features``, LLVM's names, that this machine lacks; None where Linux does not tell which it has.

    Features that are about scheduling, or about what no compiled network uses, are not looked at.
    """
    table = _FLAGS.get(machine, {})
    flags = flags_of(linux.read(root / "proc/cpuinfo") or "", "flags" if machine == "x86_64" else "Features")
    if not flags:
        return None
    return tuple(sorted(name for name in set(features) if name in table and table[name] not in flags))


def checked(machine: str, features: Iterable[str]) -> tuple[str, ...]:
    """Those of ``features`` that `lacking` looks at, sorted."""
    return tuple(sorted(set(features) & _FLAGS.get(machine, {}).keys()))


def this_processor(root: Path = Path("/")) -> tuple[str, ...]:
    """What LLVM tells this machine's processor by: maker, model and instruction sets of its cores, sorted."""
    text, machine = linux.read(root / "proc/cpuinfo") or "", architecture()
    words = r"^(?:vendor_id|cpu family|model|CPU (?:implementer|part|variant)|uarch|isa)\s*:.*$"
    models = re.findall(words, text, re.MULTILINE)
    flags = flags_of(text, "flags" if machine == "x86_64" else "Features") & set(_FLAGS.get(machine, {}).values())
    return (machine, *sorted({" ".join(line.split()) for line in models}), *sorted(flags))


def flags_of(cpuinfo: str, word: str) -> frozenset[str]:
    """The instruction sets that every core of a ``/proc/cpuinfo`` has; ``word`` is what the architecture calls them.

    In an emulator of user programs, such as QEMU's, the file is that of the machine around it, with another word.

    >>> sorted(flags_of("flags\\t: fpu avx\\nflags\\t: fpu avx avx2\\n", "flags"))
    ['avx', 'fpu']
    """
    cores = [frozenset(line.split()) for line in re.findall(rf"^{word}\s*:\s*(.*)$", cpuinfo, re.MULTILINE)]
    return frozenset.intersection(*cores) if cores else frozenset()


def signed(text: str) -> tuple[str, ...]:
    """The features that LLVM's list says are there; of several signs of a feature the last one counts.

    >>> signed("+avx,+pku,-pku,-sse4a,+fma")
    ('avx', 'fma')
    """
    signs = {part[1:]: part[0] for part in text.split(",") if part[:1] in ("+", "-")}
    return tuple(sorted(name for name, sign in signs.items() if sign == "+"))


def widest(machine: str, features: Iterable[str]) -> str:
    """The widest vectors among ``features``, by LLVM's name; empty where the architecture's least is all.

    >>> widest("x86_64", ("avx2", "sse3", "avx512f")), widest("x86_64", ("sse2",)), widest("aarch64", ("neon", "aes"))
    ('avx512f', '', 'neon')
    """
    order = {"x86_64": ("avx512f", "avx2", "avx", "sse4.2"), "aarch64": ("sve2", "sve", "neon")}
    return next((name for name in order.get(machine, ()) if name in set(features)), "")
