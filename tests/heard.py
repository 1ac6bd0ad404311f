from edgerig.progress import Progress


class Heard(Progress):
    """Progress that remembers what was logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, message: str) -> None:
        self.lines.append(message)
