"""A model file as a C array, to be linked into firmware."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from edgerig.artifact import Artifact
from edgerig.compilers import flatbuffer
from edgerig.compilers.base import CompilerSettings, ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError
from edgerig.plugins import Settings
from edgerig.progress import Progress

ROW = 16
#: Rows that are converted to text at a time.
_LINES = 1 << 12
#: Placeholder of the rows in the template.
_ROWS = "@ROWS@"
#: Largest file that becomes an array, in bytes; its text takes six times as much.
LARGEST = 1 << 26

#: Keywords of C11, C23 and C++20, which cannot name an array.
KEYWORDS = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl
    concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default
    delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long
    mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using
    virtual void volatile wchar_t while xor xor_eq main
    """.split()  # noqa: SIM905
)

TEMPLATE = """\
/*
 * {title}
 *
 * source:  {source}
 * format:  {format}, {scheme}
 * bytes:   {size}
 * sha256:  {sha256}
 *
 * Made by edgerig. The array is defined here, and starts at a multiple of {alignment} bytes, as TFLite Micro and
 * vector loads want it. Include this file in one source file; every other one would get a copy of its own.
 */
#ifndef {guard}
#define {guard}

#include <stdint.h>

#if defined(__cplusplus) && __cplusplus >= 201103L
#define {guard_prefix}_ALIGN alignas({alignment})
#elif !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define {guard_prefix}_ALIGN _Alignas({alignment})
#elif defined(__GNUC__) || defined(__clang__) || defined(__ARMCC_VERSION)
#define {guard_prefix}_ALIGN __attribute__((aligned({alignment})))
#elif defined(_MSC_VER)
#define {guard_prefix}_ALIGN __declspec(align({alignment}))
#else
#error "Tell this compiler how to align an array to {alignment} bytes."
#endif

{guard_prefix}_ALIGN static const uint8_t {name}[{size}] = {{
{rows}
}};
static const uint32_t {name}_len = {size};

#endif /* {guard} */
"""


class CArraySettings(CompilerSettings, frozen=True, kw_only=True):
    """Settings of the C array."""

    name: Annotated[
        str | None,
        msgspec.Meta(description="name of the array; the file's name, made fit for C, if not given"),
    ] = None


class CArray(ModelCompiler):
    """A C99 and C++ header with the file's bytes as an aligned, constant array, and the array's length."""

    name = "c-array"
    summary = "C header with the model as an aligned const array"
    modules = ()
    takes = frozenset({"tflite", "onnx"})
    makes = "c-array"
    after = "float32"
    Settings: ClassVar[type[Settings]] = CArraySettings

    def payload(self, compiled: Artifact, before: int) -> int:
        return before

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        data = artifact.read()
        if data[4:8] == flatbuffer.IDENTIFIER:
            data = flatbuffer.in_one_piece(data, Path(artifact.path).name)
        if len(data) > LARGEST:
            raise CompileError(
                f"{Path(artifact.path).name} has {len(data):,} B, and an array in C holds {LARGEST:,} B at most.",
                "No microcontroller has room for more: make the network smaller.",
            )
        settings: Any = self.settings
        name = c_identifier(settings.name or Path(artifact.path).stem)
        return c_header(data, name, artifact)


def c_header(data: bytes, name: str, artifact: Artifact) -> bytes:
    """The header, in ASCII except for the file's name, that defines ``name`` (uint8_t, aligned) and ``name_len``.

    Args:
        data: The array's bytes.
        name: A C identifier; see `c_identifier`.
        artifact: Described in the header's comment.
    """
    from edgerig.files import sha256

    prefix = f"EDGERIG_{name.upper()}"
    text = TEMPLATE.format(
        title=f"{name}: a network as data",
        source=_in_comment(Path(artifact.path).name),
        format=artifact.format,
        scheme=artifact.scheme,
        size=len(data),
        sha256=sha256(data),
        alignment=flatbuffer.ALIGNMENT,
        guard=f"{prefix}_H",
        guard_prefix=prefix,
        name=name,
        rows=_ROWS,
    )
    head, _, tail = text.rpartition(_ROWS)
    return b"".join((head.encode(), _rows(data), tail.encode()))


def c_identifier(text: str) -> str:
    """``text`` as an identifier that C and C++ do not reserve: ``net-int8.v2`` becomes ``net_int8_v2``."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_") or "model"
    # The prefix avoids a leading digit, keywords and names that C reserves.
    if name[0].isdigit():
        name = f"model_{name}"
    # C++ reserves two consecutive underscores.
    name = re.sub(r"__+", "_", name)
    return f"{name}_model" if name in KEYWORDS else name


def _rows(data: bytes) -> bytes:
    """``  0x00, 0x01, ..,`` and a line end for every `ROW` bytes; none behind the last."""
    words = np.frombuffer(b"".join(b" 0x%02x," % value for value in range(256)), "S6")
    text = io.BytesIO()
    for start in range(0, len(data), ROW * _LINES):
        part = words[np.frombuffer(data, np.uint8, min(ROW * _LINES, len(data) - start), start)].tobytes()
        width = ROW * words.itemsize
        text.write(b"".join(b" %s\n" % part[at : at + width] for at in range(0, len(part), width)))
    return text.getvalue()[:-1]


def _in_comment(text: str) -> str:
    """``text`` without anything that could end a comment or a line."""
    plain = "".join(char if char.isprintable() and char != "\\" else "?" for char in text)
    return plain.replace("*/", "*?").replace("/*", "?*").replace("??", "?")
