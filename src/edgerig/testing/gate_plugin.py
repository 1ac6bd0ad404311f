"""Gates within tests: what the fixture ``edgerig_gate`` of the pytest plugin (`edgerig_pytest`) gives.

::

    @pytest.mark.edgerig_gate("rig.yaml", baseline="runs/main")
    def test_the_network_has_become_no_worse(edgerig_gate):
        edgerig_gate()
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from edgerig.results.gate.judge import GateResult

#: The outcome of a test whose gate is inconclusive.
WAYS = ("fail", "pass", "skip", "retry")


class GateRunner:
    """Runs gates for one test; arguments that a call lacks are taken from the marker.

    Args:
        root: Base folder of relative paths. out: default folder to measure into. given: the marker's arguments.
    """

    def __init__(self, root: Path, out: Path, given: dict[str, Any]) -> None:
        self._root, self._out, self._given = root, out, given

    def __call__(self, rig: str | Path | None = None, **options: Any) -> GateResult:
        """Measure ``rig`` and compare it with a baseline.

        Args:
            rig: The rig file. options: ``baseline``, a bundle's folder; ``out``, the folder to measure into; ``only``,
                patterns of cell ids; ``settings``, such as ``"gate.latency=25 %"``; ``inconclusive``.

        Returns:
            All checks, if every limit is kept, or inconclusive ones may pass.

        Raises:
            pytest.fail.Exception: A limit is exceeded, or a check is inconclusive; the message is the table.
            EdgerigError: Nothing could be measured.
        """
        from edgerig.engine.api import plan
        from edgerig.engine.compare.gate import GateOptions, run_gate
        from edgerig.progress import Progress
        from edgerig.results.gate.output import gate_markdown

        given = {**self._given, **options, **({"rig": rig} if rig is not None else {})}
        if missing := {"rig", "baseline"} - given.keys():
            raise pytest.UsageError(f"edgerig_gate: {', '.join(sorted(missing))} is missing: give it in the marker.")
        way = given.get("inconclusive", "fail")
        if way not in WAYS:
            raise pytest.UsageError(f"edgerig_gate: inconclusive is one of {', '.join(WAYS)}, not {way!r}.")
        rig_plan = plan(self._root / given["rig"], only=given.get("only", ()), settings=given.get("settings", ()))
        gate = GateOptions(out=self._root / given.get("out", self._out), retry=way == "retry")
        result = run_gate(rig_plan, self._root / given["baseline"], gate, Progress())
        uncertain_fails = way in ("fail", "retry") or result.unmeasured
        if result.outcome == "regressed" or (result.outcome == "inconclusive" and uncertain_fails):
            pytest.fail(gate_markdown(result), pytrace=False)
        if result.outcome == "inconclusive" and way == "skip":
            pytest.skip(f"not certain: {next(c.sentence for c in result.checks if c.outcome == 'inconclusive')}")
        return result
