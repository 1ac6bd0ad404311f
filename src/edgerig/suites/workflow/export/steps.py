"""What the exports have in common: the command of a step, its parameters, and files that go along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from edgerig.errors import StorageError
from edgerig.suites.workflow.types import PlannedStep, Value, Workflow
from edgerig.suites.workflow.words import as_text

#: Exit code of a step that is skipped, where the engine wants to know.
SKIPPED = 99
#: Bytes of files that a ConfigMap may hold: Kubernetes takes 1 MiB with all that is around them.
LARGEST_MAP = 900_000


class ExportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a workflow is exported.

    Attributes:
        store: The address through which the steps share results; None where they share a disk.
        file: Where the workflow file lies on the machines that run the steps.
        results: The output folder there.
        settings: ``--set`` of the export, which each step is given as well.
        image: The container image of the steps.
    """

    store: str | None
    file: str
    results: str
    settings: tuple[str, ...] = ()
    image: str = "edgerig"


def step_words(step: PlannedStep, options: ExportOptions) -> list[str]:
    """The command of a step without its parameters. Attempts are the engine's: it has a retry of its own."""
    store = ["--store", options.store] if options.store is not None else []
    settings = [word for setting in options.settings for word in ("--set", setting)]
    return [
        *("edgerig", "workflow", "run", options.file, "--only", step.name, "--retries", "0"),
        *("--out", options.results, *store, *settings),
    ]


def parameter_texts(parameters: dict[str, Value]) -> dict[str, str]:
    """The parameters as ``--param`` takes them."""
    return {name: as_text(value) for name, value in parameters.items()}


def files_beside(workflow: Workflow) -> tuple[dict[str, bytes], list[Path]]:
    """The workflow file and the small files that its steps read, by their path beside it; and the inputs that do not go
    along: folders, what lies elsewhere, and what is too large.

    Raises:
        StorageError: One cannot be read.
    """
    root = workflow.folder.resolve()
    contents: dict[str, bytes] = {}
    left: list[Path] = []
    try:
        contents[workflow.file.name] = workflow.file.read_bytes()
        for path in dict.fromkeys(_own_files(workflow)):
            real = path.resolve()
            size = sum(map(len, contents.values()))
            if not real.is_relative_to(root) or not real.is_file() or real.stat().st_size + size > LARGEST_MAP:
                left.append(path)
            else:
                contents[real.relative_to(root).as_posix()] = real.read_bytes()
    except OSError as error:
        raise StorageError(f"Cannot read {error.filename}: {error.strerror}.") from error
    return contents, left


def _own_files(workflow: Workflow) -> Iterator[Path]:
    for step in workflow.steps.values():
        for source in step.inputs.values():
            if isinstance(source, Path):
                yield source


def header(workflow: Workflow, kind: str, notes: Sequence[str] = ()) -> str:
    """The comment at the top of an exported file."""
    command = f"edgerig workflow export {kind} {workflow.file.name}"
    lines = [f"The workflow {workflow.name}, made by `{command}`: export it again rather than edit it.", *notes]
    return "".join(f"# {line}\n" for line in lines)
