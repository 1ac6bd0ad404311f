"""Many networks as one C file: starting a compiler takes longer than compiling a small network."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgerig.micro.emit.source import Source

_STATIC = re.compile(r"^static (?:union \{[^}]*\} (\w+)|[^=({\[;]*?(\w+)(?:\[|\(| =|;))", re.MULTILINE)
#: Of assembly: a macro, a constant, or what the preprocessor defines, whose name another file may use for another.
_NAMED = re.compile(r"^\s*(?:\.macro|\.set|\.equ|#)", re.MULTILINE)


def one_unit(sources: Iterable[Source]) -> str:
    """C that includes ``model.c`` of every network out of the folder of the network's name.

    What is static in two of them has one name: each gets the network's behind it.
    """
    parts = []
    for source in sources:
        name = source.manifest.name
        statics = static_names(source.files["model.c"].decode())
        parts += [f"#define {static} {static}_of_{name}" for static in statics]
        parts.append(f'#include "{name}/model.c"')
        parts += [f"#undef {static}" for static in statics]
    return "\n".join(parts) + "\n"


def static_names(text: str) -> list[str]:
    """Names of the static functions and objects of a C file that edgerig made."""
    return [storage or name for storage, name in _STATIC.findall(text)]


def fits_one_unit(assembly: str) -> bool:
    """Whether a file of assembly may be read behind others of edgerig's: it names nothing but its functions."""
    return not _NAMED.search(assembly)
