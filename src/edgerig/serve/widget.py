"""A widget of notebooks to draw digits in, with the page's own code.

>>> from edgerig.serve.widget import DigitPad
>>> pad = DigitPad(strokes=[[[60, 50], [190, 50], [110, 210]]])
>>> pad.picture.shape, int(pad.picture.max())
((28, 28), 255)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from edgerig.errors import EdgerigError, MissingExtraError
from edgerig.measure.kinds import Unavailable, microseconds
from edgerig.serve import drawing
from edgerig.serve.digit_network import DigitAnswer
from edgerig.serve.pages import ROOT

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise MissingExtraError("The widget to draw digits in", "notebook", "anywidget") from error

#: The page's modules, each after those that it imports.
MODULES = ("drawing.js", "pad.js", "view.js", "widget.js")


def joined() -> str:
    """The modules as one: a widget is one file."""
    folder = ROOT / "digits"
    parts = []
    for name in MODULES:
        text = re.sub(r"^import .*\n", "", (folder / name).read_text(), flags=re.MULTILINE)
        parts.append(re.sub(r"^export (?!default)", "", text, flags=re.MULTILINE))
    return "\n".join(parts)


class DigitPad(anywidget.AnyWidget):
    """A paper to draw on.

    Args:
        ask: Answers pictures, shape (28, 28), such as `DigitAsker.ask`; None to draw only.

    Attributes:
        strokes: What is drawn: a list of strokes, each a list of points (x, y) in pixels of the paper, 250x250. May be
            set, to show what was drawn before.
        centred: Whether the picture is sized and centred as those of MNIST are.
        outputs: The network's outputs for what is drawn; empty where nothing is, or nobody was asked.
        answer: What it says, in words.
    """

    _esm = joined()
    _css = (ROOT / "digits" / "widget.css").read_text()
    strokes: Any = traitlets.List().tag(sync=True)
    centred = traitlets.Bool(True).tag(sync=True)
    outputs: Any = traitlets.List().tag(sync=True)
    answer = traitlets.Unicode("").tag(sync=True)

    def __init__(self, ask: Callable[[drawing.Picture], DigitAnswer] | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self._ask = ask
        self.observe(self._changed, ["strokes", "centred"])
        self._changed(None)

    @property
    def picture(self) -> drawing.Picture:
        """What the network sees, shape (28, 28), 255 for ink."""
        return drawing.picture(self.strokes, centred=self.centred)

    def _changed(self, change: object) -> None:
        if self._ask is None or not any(self.strokes):
            self.outputs, self.answer = [], ""
            return
        try:
            answer = self._ask(self.picture)
        except EdgerigError as error:
            self.outputs, self.answer = [], error.message
            return
        time = answer.network
        took = f"no time: {time.reason}" if isinstance(time, Unavailable) else microseconds(time)
        self.outputs, self.answer = list(answer.outputs), f"{answer.digit} on {answer.target}, {took}"
