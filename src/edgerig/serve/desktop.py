"""A window of the desktop to draw digits in, behind which is the code of the page."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from tkinter import ttk

from edgerig.errors import EdgerigError
from edgerig.measure.kinds import Quantity, Unavailable, microseconds
from edgerig.serve import drawing, drawing_files
from edgerig.serve.digit_asker import DigitAsker
from edgerig.serve.digit_network import DIGITS, DigitAnswer

TITLE = "Draw a digit"
#: Size of the paper on the screen by its own, and of a pixel of the picture.
SCALE, ZOOM = 1.6, 6
#: Pixels of the paper that an arrow key moves the pen, and with Shift.
STEP, LONG_STEP = 5.0, 20.0
#: Milliseconds between two looks for an answer.
LOOK = 30
ROW, BAR = 22, 150
ARROWS = {"Left": (-1, 0), "Right": (1, 0), "Up": (0, -1), "Down": (0, 1)}
INK, PAPER, ACCENT, BLUE = "#17202b", "#ffffff", "#0b5cad", "#9db8d4"


class DigitWindow:
    """The window. Mouse or keys draw; Control with t, p or h saves as text, PNG or C header.

    Args:
        root: Tk's.
        asker: What answers; None to draw and save only.
        folder: Where pictures are saved.

    Attributes:
        strokes: Points in pixels of the paper.
        saved: The files that were saved.
    """

    def __init__(self, root: tk.Tk, asker: DigitAsker | None, folder: Path) -> None:
        self.root, self.asker, self.folder = root, asker, folder
        self.strokes: list[list[drawing.Point]] = []
        self.saved: list[Path] = []
        self._pen: drawing.Point = (drawing.CANVAS / 2, drawing.CANVAS / 2)
        self._stroke: list[drawing.Point] | None = None
        self._asked: Future[DigitAnswer] | None = None
        self._stale = self._due = False
        root.title(TITLE)
        root.resizable(False, False)
        self._build(asker.targets if asker is not None else [])
        self._bind()
        self._changed()

    # ---- what is there

    def _build(self, targets: Sequence[str]) -> None:
        size = round(drawing.CANVAS * SCALE)
        self.paper = tk.Canvas(self.root, width=size, height=size, bg=PAPER, highlightthickness=2, cursor="crosshair")
        self.paper.configure(highlightcolor=ACCENT, takefocus=True)
        self.paper.grid(row=0, column=0, padx=12, pady=12, sticky="n")
        side = ttk.Frame(self.root)
        side.grid(row=0, column=1, padx=(0, 12), pady=12, sticky="n")
        self._seen = tk.Label(side, bd=1, relief="solid")
        self._seen.pack(anchor="w")
        self.centred = tk.BooleanVar(value=True)
        ttk.Checkbutton(side, text="Size and centre as in MNIST", variable=self.centred, command=self._changed).pack(
            anchor="w", pady=6
        )
        self.bars = tk.Canvas(side, width=BAR + 90, height=ROW * DIGITS, highlightthickness=0)
        if self.asker is not None:
            self.bars.pack(anchor="w")
            self.target = ttk.Combobox(side, values=list(targets), state="readonly")
            self.target.current(0)
            self.target.bind("<<ComboboxSelected>>", lambda _: self._changed())
            self.target.pack(anchor="w", pady=6)
        buttons = ttk.Frame(self.root)
        buttons.grid(row=1, column=0, columnspan=2, padx=12, sticky="w")
        actions: list[tuple[str, Callable[[], None]]] = [("Undo", self.undo), ("Clear", self.clear)]
        actions += [(name, partial(self.save, suffix)) for name, suffix in SAVES]
        for text, command in actions:
            ttk.Button(buttons, text=text, command=command).pack(side="left", padx=(0, 6))
        self.status = tk.StringVar(value="Mouse, or arrow keys and Space.")
        ttk.Label(self.root, textvariable=self.status).grid(
            row=2, column=0, columnspan=2, padx=12, pady=(6, 12), sticky="w"
        )

    def _bind(self) -> None:
        self.paper.bind("<Button-1>", self._touch)
        self.paper.bind("<B1-Motion>", lambda event: self._extend(self._point(event)))
        self.paper.bind("<ButtonRelease-1>", lambda _: self._lift())
        for key in ARROWS:
            self.paper.bind(f"<{key}>", lambda event: self._step(event.keysym, STEP))
            self.paper.bind(f"<Shift-{key}>", lambda event: self._step(event.keysym, LONG_STEP))
        self.paper.bind("<space>", lambda _: self._turn())
        self.paper.bind("<BackSpace>", lambda _: self.undo())
        self.paper.bind("<Delete>", lambda _: self.clear())
        for name, suffix in SAVES:
            self.root.bind(f"<Control-{SAVE_KEYS[name]}>", partial(self._save, suffix))
        self.paper.focus_set()

    # ---- strokes

    def _touch(self, event: tk.Event[tk.Canvas]) -> None:
        self.paper.focus_set()
        self._begin(self._point(event))

    def _point(self, event: tk.Event[tk.Canvas]) -> drawing.Point:
        edge = int(self.paper["highlightthickness"])
        return (event.x - edge) / SCALE, (event.y - edge) / SCALE

    def _begin(self, point: drawing.Point) -> None:
        self._stroke = [point]
        self.strokes.append(self._stroke)
        self._changed()

    def _extend(self, point: drawing.Point) -> None:
        if self._stroke is not None:
            self._stroke.append(point)
            self._changed()

    def _lift(self) -> None:
        self._stroke = None

    def _step(self, key: str, length: float) -> None:
        right, down = ARROWS[key]
        x, y = self._pen[0] + right * length, self._pen[1] + down * length
        self._pen = min(max(x, 0.0), float(drawing.CANVAS)), min(max(y, 0.0), float(drawing.CANVAS))
        self._extend(self._pen)
        self._paint_pen()

    def _turn(self) -> None:
        if self._stroke is None:
            self._begin(self._pen)
        else:
            self._lift()
        self.status.set("Pen up: arrow keys move it." if self._stroke is None else "Pen down: arrow keys draw.")
        self._paint_pen()

    def undo(self) -> None:
        """Take back a stroke."""
        self._stroke = None
        del self.strokes[-1:]
        self._changed()

    def clear(self) -> None:
        """Take back all."""
        self._stroke = None
        self.strokes.clear()
        self._changed()

    # ---- what is seen

    @property
    def picture(self) -> drawing.Picture:
        """What the network sees, shape (28, 28)."""
        return drawing.picture(self.strokes, centred=self.centred.get())

    def _changed(self) -> None:
        """Show the strokes at once, and what follows from them soon: a fast hand must not wait for that."""
        self.paper.delete("ink")
        width = drawing.PEN * SCALE
        edge = int(self.paper["highlightthickness"])
        for stroke in self.strokes:
            flat = [number * SCALE + edge for point in (stroke if len(stroke) > 1 else stroke * 2) for number in point]
            self.paper.create_line(flat, width=width, fill=INK, capstyle="round", joinstyle="round", tags="ink")
        if not self._due:
            self._due = True
            self.root.after(LOOK, self._follow)

    def _follow(self) -> None:
        self._due = False
        self._show_picture(self.picture)
        if not self.strokes:
            self.root.title(TITLE)
            self.bars.delete("all")
        self._ask()

    def _show_picture(self, picture: drawing.Picture) -> None:
        small = tk.PhotoImage(master=self.root, width=drawing.SIDE, height=drawing.SIDE)
        small.put(" ".join("{" + " ".join(f"#{v:02x}{v:02x}{v:02x}" for v in row) + "}" for row in picture.tolist()))
        self._photo = small.zoom(ZOOM)
        self._seen.configure(image=self._photo)

    def _paint_pen(self) -> None:
        self.paper.delete("pen")
        x, y, radius = self._pen[0] * SCALE, self._pen[1] * SCALE, drawing.PEN * SCALE / 2
        self.paper.create_oval(x - radius, y - radius, x + radius, y + radius, outline=ACCENT, width=2, tags="pen")

    # ---- asking

    def _ask(self) -> None:
        """Ask for what is drawn now; while an answer is awaited, after that."""
        if self.asker is None or not self.strokes:
            return
        if self._asked is not None:
            self._stale = True
            return
        self._stale = False
        self._asked = self.asker.submit(self.picture, self.target.current())
        self.root.after(LOOK, self._look)

    def _look(self) -> None:
        asked = self._asked
        if asked is None or not asked.done():
            self.root.after(LOOK, self._look)
            return
        self._asked = None
        if self._stale:
            self._ask()
            return
        try:
            answer = asked.result()
        except EdgerigError as error:
            self.status.set(error.message)
            self.root.title(TITLE)
            return
        if self.strokes:
            self._show(answer)

    def _show(self, answer: DigitAnswer) -> None:
        low, high = min(0.0, *answer.outputs), max(1.0, *answer.outputs)
        self.bars.delete("all")
        for digit, value in enumerate(answer.outputs):
            top = digit * ROW
            zero, end = (20 + BAR * (real - low) / (high - low) for real in (0.0, value))
            fill = ACCENT if digit == answer.digit else BLUE
            self.bars.create_text(6, top + ROW / 2, text=str(digit))
            self.bars.create_rectangle(min(zero, end), top + 4, max(zero, end), top + ROW - 4, fill=fill, width=0)
            self.bars.create_text(BAR + 80, top + ROW / 2, text=f"{value:.3f}", anchor="e")
        self.status.set(f"{answer.digit} on {answer.target}, {time_text(answer.network)}")
        self.root.title(f"{answer.digit} - {TITLE}")

    # ---- files

    def _save(self, suffix: str, event: object) -> None:
        self.save(suffix)

    def save(self, suffix: str) -> None:
        """Save the picture in the folder, under a name that is free."""
        if not self.strokes:
            self.status.set("There is nothing to save yet.")
            return
        path = free_path(self.folder, suffix)
        try:
            drawing_files.save(self.picture, path)
        except EdgerigError as error:
            self.status.set(error.message)
            return
        self.saved.append(path)
        self.status.set(f"Saved {path}.")


#: Names of the buttons that save, with their suffixes and keys.
SAVES = (("Text", ".txt"), ("PNG", ".png"), ("C header", ".h"))
SAVE_KEYS = {"Text": "t", "PNG": "p", "C header": "h"}


def time_text(time: Quantity) -> str:
    """A time of the network in words."""
    return f"no time: {time.reason}" if isinstance(time, Unavailable) else microseconds(time)


def free_path(folder: Path, suffix: str) -> Path:
    """``digit.txt`` in ``folder``, or the first of ``digit-2.txt``, ``digit-3.txt`` .. that is free."""
    path, number = folder / f"digit{suffix}", 2
    while path.exists():
        path, number = folder / f"digit-{number}{suffix}", number + 1
    return path
