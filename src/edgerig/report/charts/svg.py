"""A small SVG writer. Every text and attribute is escaped here, so that no name can break out of its element."""

from __future__ import annotations

from html import escape

from markupsafe import Markup

Attribute = str | float | int | None


def number(value: float) -> str:
    """A coordinate with one decimal, which is enough for the eye."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def element(tag: str, *children: str, **attributes: Attribute) -> str:
    """``<tag ...>children</tag>``; ``class_`` is class, ``_`` in other names is ``-``. Children are SVG, not text."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = "".join(children)
    return f"<{tag}{written}>{inside}</{tag}>" if inside else f"<{tag}{written}/>"


def text(content: str, x: float, y: float, **attributes: Attribute) -> str:
    """A line of text, escaped."""
    return element("text", escape(content), x=x, y=y, **attributes)


class Drawing:
    """Elements of a drawing of ``width`` by ``height`` user units."""

    def __init__(self, width: float, height: float, label: str, class_: str = "") -> None:
        self.width, self.height, self.label, self.class_ = width, height, label, class_
        self.parts: list[str] = []

    def add(self, tag: str, *children: str, **attributes: Attribute) -> None:
        """Add an element."""
        self.parts.append(element(tag, *children, **attributes))

    def text(self, content: str, x: float, y: float, **attributes: Attribute) -> None:
        """Add a line of text."""
        self.parts.append(text(content, x, y, **attributes))

    def render(self, *, interactive: bool = False) -> Markup:
        """The drawing. An interactive one is a group whose parts can be focused, others are one picture."""
        head = element(
            "svg",
            "".join(self.parts),
            viewBox=f"0 0 {number(self.width)} {number(self.height)}",
            class_=f"chart {self.class_}".strip(),
            role="group" if interactive else "img",
            aria_label=self.label,
            style=f"max-width:{number(self.width * 1.3)}px",
        )
        return Markup(head)


def _value(value: Attribute) -> str:
    return number(value) if isinstance(value, float) else str(value)
