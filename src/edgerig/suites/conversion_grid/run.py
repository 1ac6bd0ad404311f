"""Export every network, run each in every importer, and keep what came of it by what it depends on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from edgerig import files
from edgerig.cache import MANIFEST, StageCache
from edgerig.engine.dependencies import of_plugin, surroundings
from edgerig.errors import Interrupted
from edgerig.plugin_code import own_code
from edgerig.suites.conversion_grid.child import INPUTS, NETWORK, OUTPUTS, REFERENCE, Job
from edgerig.suites.conversion_grid.plan import Framework, Plan, Wanted
from edgerig.suites.conversion_grid.process import Bounds, Ended, run_job
from edgerig.suites.conversion_grid.types import Cell, Grid, Network, Status

#: Called with each finished network or cell, and how many of how many are done.
Tell = Callable[[Network | Cell, int, int], None]
_EXPORTED = "network.json"
_CELL = "cell.json"


def run_grid(
    plan: Plan,
    folder: Path,
    *,
    bounds: Bounds | None = None,
    jobs: int = 1,
    fresh: bool = False,
    tell: Tell = lambda done, number, total: None,
) -> Grid:
    """Run a plan; the ONNX files are put into ``folder``.

    Args:
        plan: From `edgerig.suites.conversion_grid.plan.plan`.
        folder: Gets a file ``EXPORTER-NETWORK-OPSET.onnx`` for each network that was exported; a folder of that name
            if its weights are in files of their own.
        bounds: Of each process.
        jobs: Processes at once.
        fresh: Run again what is in the cache.
        tell: Called in this thread, in the order of the plan.

    Raises:
        StorageError: The cache or the folder cannot be written.
    """
    runner = _Runner(bounds or Bounds(), StageCache(files.cache_folder() / "grid"), fresh)
    total = len(plan.networks) * (1 + len(plan.importers))
    networks: list[Network] = []
    cells: list[Cell] = []
    with ThreadPoolExecutor(jobs) as pool:
        exports = [pool.submit(runner.export, wanted) for wanted in plan.networks]
        try:
            for future in exports:
                network, _ = future.result()
                networks.append(network)
                tell(network, len(networks), total)
            tries = [
                pool.submit(runner.import_, future.result(), importer)
                for future in exports
                for importer in plan.importers
            ]
            for done in tries:
                cells.append(done.result())
                tell(cells[-1], len(networks) + len(cells), total)
        except BaseException:
            # Processes that run are killed by their threads' end; those that wait are not begun.
            pool.shutdown(wait=False, cancel_futures=True)
            runner.stop()
            raise
    for future in exports:
        network, stage = future.result()
        if stage is not None and network.status in ("exported", "vacuous"):
            _copy_network(stage, folder / file_name(network))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    importers = tuple(importer.name for importer in plan.importers)
    return Grid(created=created, networks=tuple(networks), importers=importers, cells=tuple(cells))


def file_name(network: Network) -> str:
    """The file of an exported network in a grid's folder."""
    return f"{network.exporter}-{network.name}-{network.opset}.onnx".replace(":", "-").replace("/", "-")


def _beside(stage: Path) -> list[str]:
    """Files that an exporter wrote beside its network: weights as external data."""
    names = {path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file()}
    return sorted(names - {NETWORK, INPUTS, OUTPUTS, REFERENCE, _EXPORTED, MANIFEST})


def _copy_network(stage: Path, path: Path) -> None:
    """The network as ``path``; with files beside it as a folder, since it refers to them by their names."""
    beside = _beside(stage)
    for name in [NETWORK, *beside]:
        target = path.with_suffix("") / name if beside else path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(stage / name, target)


class _Runner:
    def __init__(self, bounds: Bounds, cache: StageCache, fresh: bool) -> None:
        self.bounds, self.cache, self.fresh, self.stopped = bounds, cache, fresh, False

    def stop(self) -> None:
        """Kill what runs."""
        self.stopped = True

    def export(self, wanted: Wanted) -> tuple[Network, Path | None]:
        """The network, and the folder of the cache with its files."""
        exporter, name, opset = wanted.exporter, wanted.network, wanted.opset
        about = exporter.plugin.networks[name]
        head: dict[str, Any] = {"exporter": exporter.name, "name": name, "opset": opset, "about": about}
        if exporter.missing:
            return Network(**head, status="missing", message=exporter.missing), None

        def build(stage: Path) -> None:
            job = Job(action="export", plugin=exporter.name, folder=str(stage), network=name, opset=opset)
            ended = self._run(job, exporter)
            (stage / _EXPORTED).write_bytes(msgspec.json.encode(_network(head, ended, stage)))

        key = self.cache.key("grid-export", network=name, opset=opset, **_depends(exporter), around=surroundings())
        stage = self._stage(key, build)
        return msgspec.json.decode((stage / _EXPORTED).read_bytes(), type=Network), stage

    def import_(self, exported: tuple[Network, Path | None], importer: Framework) -> Cell:
        """The network in an importer."""
        network, source = exported
        head: dict[str, Any] = {"network": network.key, "importer": importer.name}
        if source is None or network.status not in ("exported", "vacuous"):
            return Cell(**head, status="not-exported", message=network.message)
        if importer.missing:
            return Cell(**head, status="missing", message=importer.missing)

        def build(stage: Path) -> None:
            ended = self._run(Job(action="import", plugin=importer.name, folder=str(source)), importer)
            (stage / _CELL).write_bytes(msgspec.json.encode(_cell(head, network, ended)))

        names = [NETWORK, INPUTS, OUTPUTS, REFERENCE, *_beside(source)]
        contents = {name: files.sha256_file(source / name) for name in names}
        key = self.cache.key("grid-import", contents=contents, **_depends(importer))
        cell = msgspec.json.decode((self._stage(key, build) / _CELL).read_bytes(), type=Cell)
        # Equal files of two networks share a cell.
        return msgspec.structs.replace(cell, network=network.key)

    def _stage(self, key: str, build: Callable[[Path], None]) -> Path:
        # More time or memory may make another outcome of what was given up.
        key = self.cache.key("grid-bounds", job=key, bounds=self.bounds)
        if self.fresh:
            self.cache.forget(key)
        return self.cache.get_or_build(key, build)[0]

    def _run(self, job: Job, framework: Framework) -> Ended:
        """How a job ended; raises Interrupted where the grid was stopped meanwhile."""
        with tempfile.TemporaryDirectory(prefix="edgerig-grid-") as work:
            python = framework.interpreter.executable if framework.interpreter else None
            ended = run_job(job, Path(work), self.bounds, python, lambda: self.stopped)
        if self.stopped:
            # It was killed for nobody waits: that is no outcome of the network, and must not be cached as one.
            raise Interrupted("The grid was stopped.")
        return ended


def _depends(framework: Framework) -> Mapping[str, Any]:
    """What a framework's outcome depends on, besides its input."""
    plugin = framework.plugin()
    interpreter = framework.interpreter.identity if framework.interpreter else plugin.versions()
    # Some frameworks work by edgerig's own compilers.
    return {"plugin": of_plugin(plugin), "interpreter": interpreter, "grid": _own_sources(), "edgerig": own_code()}


@lru_cache(maxsize=1)
def _own_sources() -> dict[str, str]:
    here = Path(__file__).parent
    return {path.relative_to(here).as_posix(): files.sha256_file(path) for path in sorted(here.rglob("*.py"))}


def _network(head: Mapping[str, Any], ended: Ended, stage: Path) -> Network:
    outcome, file = ended.outcome, stage / NETWORK
    more: dict[str, Any] = {"seconds": outcome.seconds, "versions": outcome.versions}
    if ended.how != "done":
        return Network(**head, status=ended.how, message=ended.message, **more)
    if outcome.stage != "done":
        return Network(**head, status="failed", message=f"{outcome.stage}: {outcome.message}", **more)
    return Network(
        **head,
        status="vacuous" if outcome.vacuous else "exported",
        message=outcome.vacuous,
        sha256=files.sha256_file(file),
        bytes=file.stat().st_size,
        operators=outcome.operators,
        noise=outcome.noise,
        **more,
    )


def _cell(head: Mapping[str, Any], network: Network, ended: Ended) -> Cell:
    outcome = ended.outcome
    more: dict[str, Any] = {"seconds": outcome.seconds, "versions": outcome.versions}
    if ended.how != "done":
        return Cell(**head, status=ended.how, message=ended.message, **more)
    if outcome.stage != "done":
        failed: Status = "not-imported" if outcome.stage == "loading" else "not-run"
        return Cell(**head, status=failed, message=f"{outcome.stage}: {outcome.message}", **more)
    more |= {"error": outcome.error, "allowed": outcome.allowed}
    if outcome.message:
        return Cell(**head, status="different", message=outcome.message, **more)
    if network.status == "vacuous":
        return Cell(**head, status="vacuous", message=network.message, **more)
    return Cell(**head, status="equal", **more)
