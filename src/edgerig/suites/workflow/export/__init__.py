"""A workflow as files for engines that run elsewhere: each step there is ``edgerig workflow run --only STEP``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from edgerig.errors import UsageError
from edgerig.files import write_text
from edgerig.suites.workflow.export.airflow import airflow_files
from edgerig.suites.workflow.export.argo import argo_files
from edgerig.suites.workflow.export.containers import FOLDER, WORK
from edgerig.suites.workflow.export.jobs import SCRIPT, job_files
from edgerig.suites.workflow.export.steps import ExportOptions
from edgerig.suites.workflow.types import Workflow

#: What makes the files of an engine.
ENGINES: dict[str, Callable[[Workflow, ExportOptions], dict[str, str]]] = {
    "airflow": airflow_files,
    "argo": argo_files,
    "job": job_files,
}


def export_workflow(
    workflow: Workflow,
    engine: str,
    out: Path,
    *,
    store: str | None = None,
    image: str = "edgerig",
    file: str | None = None,
    results: str | None = None,
    settings: tuple[str, ...] = (),
) -> list[Path]:
    """Write a workflow for an engine; returns the files.

    Args:
        engine: One of `ENGINES`.
        store: The address through which the steps share results.
        image: Of pods: their container image.
        file: Where the workflow file lies for the steps; by default as here, in pods in the ConfigMap.
        results: The output folder of the steps.
        settings: ``--set`` of the export, which each step is given as well.

    Raises:
        UsageError: Pods without a store share nothing.
        StorageError: A file cannot be read or written.
    """
    pods = engine != "airflow"
    if pods and (store is None or "://" not in store or store.startswith("memory:")):
        raise UsageError(
            "Pods share results through a store, and a folder of this machine is none for them.",
            "Name one that they reach: --store s3://BUCKET/PREFIX",
        )
    here = store if store is None or "://" in store else str(Path(store).absolute())
    options = ExportOptions(
        store=here,
        file=file or (str(PurePosixPath(FOLDER) / workflow.file.name) if pods else str(workflow.file)),
        results=results or (f"{WORK}/out" if pods else str((Path("runs") / workflow.name).absolute())),
        settings=settings,
        image=image,
    )
    paths = []
    for name, text in ENGINES[engine](workflow, options).items():
        write_text(out / name, text)
        if name == SCRIPT:
            (out / name).chmod(0o755)
        paths.append(out / name)
    return paths
