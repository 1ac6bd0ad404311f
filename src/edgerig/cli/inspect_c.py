"""What `edgerig inspect` shows of a folder of generated C: its layers' memory over time."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from edgerig.cli.console import print_json, say, terminal_width
from edgerig.cli.memory_chart import Span, draw, over_time
from edgerig.errors import ModelError
from edgerig.micro.emit.manifest import FORMAT, Manifest

#: What lies in each folder of generated C.
_MANIFEST = "manifest.json"


class _Kind(msgspec.Struct):
    format: str = ""


def c_folder(path: Path) -> Manifest | None:
    """The manifest of a folder of generated C, given as the folder or the manifest; None if it is something else.

    Raises:
        ModelError: It is one and cannot be read.
    """
    file = path / _MANIFEST if path.is_dir() else path
    if file.name != _MANIFEST or not file.is_file():
        return None
    content = file.read_bytes()
    try:
        if msgspec.json.decode(content, type=_Kind).format != FORMAT:
            return None
    except msgspec.MsgspecError:
        return None
    try:
        return msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ModelError(f"{file} is damaged or of another version: {error}.", "Compile the network again.") from error


def print_c_folder(manifest: Manifest, as_json: bool) -> None:
    """The arena over time, as a drawing or as JSON."""
    memory = manifest.memory
    spans = [Span(piece.name, piece.offset, piece.bytes, piece.first, piece.last) for piece in memory.pieces]
    operators = [layer.op for layer in manifest.layers]
    if as_json:
        document = msgspec.to_builtins(manifest)
        print_json(document | {"over_time": over_time(spans, operators)})
        return
    say(f"{manifest.source}  C for {manifest.cpu}, {len(manifest.layers)} layers, {manifest.macs:,} MACs")
    say(f"arena        {memory.arena:,} B planned")
    say(f"             {memory.lower_bound:,} B is the least that any plan of these layers needs")
    say(f"             {memory.plain_sum:,} B as plain sum")
    say()
    for line in draw(spans, operators, terminal_width(sys.stdout)):
        say(line)
