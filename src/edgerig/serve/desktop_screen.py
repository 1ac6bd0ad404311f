"""The screen that a window opens on, if there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgerig.errors import MissingProgramError, UsageError
from edgerig.serve.digit_asker import DigitAsker

#: Milliseconds between two chances for Ctrl-C, which Tk's loop does not hear.
HEAR = 100
INSTEAD = "Draw in a browser instead: edgerig serve MODEL, and open its address."


class Screen:
    """Tk's connection to a screen."""

    def __init__(self, root: Any) -> None:
        self.root = root

    def show(self, asker: DigitAsker | None, folder: Path) -> None:
        """Show the window until it is closed; see `edgerig.serve.desktop.DigitWindow`.

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """
        from edgerig.serve.desktop import DigitWindow

        interrupts: list[BaseException] = []

        def failed(kind: type[BaseException], error: BaseException, trace: object) -> None:
            interrupts.append(error)
            self.root.quit()

        def hear() -> None:
            self.root.after(HEAR, hear)

        DigitWindow(self.root, asker, folder)
        # Tk prints what its callbacks raise and goes on.
        self.root.report_callback_exception = failed
        self.root.protocol("WM_DELETE_WINDOW", self.root.quit)
        hear()
        self.root.deiconify()
        self.root.mainloop()
        if interrupts:
            raise interrupts[0]


@contextmanager
def open_screen() -> Iterator[Screen]:
    """The screen of this session, with a window that is not shown yet.

    Raises:
        MissingProgramError: This Python has no tkinter. UsageError: There is no screen.
    """
    try:
        import tkinter
    except ImportError as error:
        raise MissingProgramError(
            "A window needs tkinter, which this Python lacks.", f"Debian has it as python3-tk. {INSTEAD}"
        ) from error
    try:
        root = tkinter.Tk()
    except tkinter.TclError as error:
        raise UsageError(f"There is no screen to open a window on: {error}.", INSTEAD) from error
    root.withdraw()
    try:
        yield Screen(root)
    finally:
        root.destroy()
