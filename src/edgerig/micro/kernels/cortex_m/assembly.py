"""Text of generated assembly files: GNU syntax, Thumb-2, for binutils and for Clang."""

from __future__ import annotations

from collections.abc import Iterable


class Function:
    """One global function, line by line.

    Args:
        name: C name.
        comment: What it is, for the reader of the generated file.
    """

    def __init__(self, name: str, comment: str) -> None:
        self.name = name
        self._lines = [f"/* {comment} */"]
        self._labels = 0

    def add(self, *lines: str) -> None:
        """Instructions, as they are."""
        self._lines.extend(f"    {line}" for line in lines)

    def label(self, stem: str = "L") -> str:
        """A new local label, not yet placed."""
        self._labels += 1
        return f".L{self.name}_{stem}{self._labels}"

    def place(self, label: str) -> None:
        """Puts a label here."""
        self._lines.append(f"{label}:")

    def text(self) -> str:
        """The function with its directives, in a section of its own."""
        return "\n".join(
            [
                self._lines[0],
                f'    .section .text.{self.name}, "ax", %progbits',
                "    .p2align 2",
                f"    .global {self.name}",
                f"    .type {self.name}, %function",
                "    .thumb_func",
                f"{self.name}:",
                *self._lines[1:],
                f"    .size {self.name}, . - {self.name}",
                "",
            ]
        )


def source(functions: Iterable[Function]) -> str:
    """A file."""
    return "\n".join(["    .syntax unified", "    .thumb", *(function.text() for function in functions)])
