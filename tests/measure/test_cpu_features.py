"""Which instruction sets a machine has, by LLVM's names."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerig.measure.cpu_features import architecture, checked, flags_of, lacking, signed, this_processor, widest


def machine(root: Path, text: str) -> Path:
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(text)
    return root


def test_what_is_lacking_is_named_as_llvm_names_it(tmp_path: Path) -> None:
    old = machine(tmp_path, "processor\t: 0\nflags\t\t: fpu sse2 pni ssse3 sse4_1 sse4_2 avx popcnt\n")
    assert lacking("x86_64", ("sse4.2", "avx", "avx2", "fma", "avx512f", "64bit", "cx16"), old) == (
        "avx2", "avx512f", "fma",
    )  # fmt: skip
    assert lacking("x86_64", ("sse3", "sse2"), old) == ()


def test_a_raspberry_pi_4_has_no_dot_products_of_int8(tmp_path: Path) -> None:
    pi = machine(tmp_path, "Features\t: fp asimd evtstrm crc32 cpuid\n")
    assert lacking("aarch64", ("neon", "fp-armv8", "crc", "v8a"), pi) == ()
    assert lacking("aarch64", ("neon", "dotprod", "lse"), pi) == ("dotprod", "lse")


def test_cores_of_two_kinds_have_what_both_have() -> None:
    assert flags_of("Features : fp asimd asimddp\n\nFeatures : fp asimd\n", "Features") == {"fp", "asimd"}


def test_where_linux_tells_nothing_nothing_is_claimed(tmp_path: Path) -> None:
    assert lacking("x86_64", ("avx2",), tmp_path) is None
    around = "flags\t: fpu avx2\n"
    assert flags_of(around, "Features") == frozenset(), "QEMU shows its programs the processor around it"
    assert lacking("riscv64", ("v",), machine(tmp_path, "Features : rv64\n")) == ()


@pytest.mark.parametrize(("name", "expected"), [("AMD64", "x86_64"), ("arm64-apple-darwin", "aarch64")])
def test_architectures_have_one_name(name: str, expected: str) -> None:
    assert architecture(name) == expected


def test_of_several_signs_the_last_one_counts() -> None:
    assert signed("+avx,-avx,+sse3,-fma,+fma,,nonsense") == ("fma", "sse3")


def test_what_is_looked_at_and_what_is_widest() -> None:
    assert checked("x86_64", ("64bit", "avx2", "fma", "cx8")) == ("avx2", "fma")
    assert widest("x86_64", ("avx2", "avx")) == "avx2"
    assert widest("riscv64", ("v",)) == ""


def test_a_processor_is_told_from_another_and_from_no_clock_of_its_own(tmp_path: Path) -> None:
    texts = {
        "one": "vendor_id\t: A\nmodel\t\t: 17\ncpu MHz\t\t: 2400.1\nflags\t: avx avx2 tsc\n",
        "later": "vendor_id\t: A\nmodel\t\t: 17\ncpu MHz\t\t: 3100.0\nflags\t: avx avx2 rdpid\n",
        "without": "vendor_id\t: A\nmodel\t\t: 17\nflags\t: avx\n",
        "newer": "vendor_id\t: A\nmodel\t\t: 97\nflags\t: avx avx2\n",
    }
    told = {}
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        told[name] = this_processor(machine(tmp_path / name, text))
    assert told["one"] == told["later"]
    assert told["one"] != told["newer"]
    if architecture() == "x86_64":
        assert told["one"] != told["without"]
