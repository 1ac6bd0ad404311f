"""A workflow as Kubernetes Jobs, one a step, and a script that starts them in their order."""

from __future__ import annotations

import shlex
from typing import Any

from edgerig.suites.workflow.export.containers import config_map, container, dump, volumes
from edgerig.suites.workflow.export.steps import ExportOptions, header, parameter_texts
from edgerig.suites.workflow.types import PlannedStep, Workflow

SCRIPT = "run.sh"


def job_files(workflow: Workflow, options: ExportOptions) -> dict[str, str]:
    """The files by name: a Job for each step, the ConfigMap that they mount, and the script."""
    files, left = config_map(workflow)
    notes = [f"Not in the ConfigMap, and needed in the image or in a store: {path}" for path in left]
    names = {step: f"{number:02}-{step}.yaml" for number, step in enumerate(workflow.steps, 1)}
    return {
        "00-files.yaml": header(workflow, "job", notes) + dump(files),
        **{
            names[step.name]: header(workflow, "job") + dump(job(step, workflow, options))
            for step in workflow.steps.values()
        },
        SCRIPT: _script(workflow, list(names.values())),
    }


def job(step: PlannedStep, workflow: Workflow, options: ExportOptions) -> dict[str, Any]:
    """The manifest of a step's Job, with the parameters as they are now. A step whose condition does not hold ends at
    once, and well."""
    # Kubernetes puts variables in for $(NAME), and takes $$ for a $.
    values = [f"{name}={value}".replace("$(", "$$(") for name, value in parameter_texts(workflow.parameters).items()]
    labels = {"app.kubernetes.io/part-of": workflow.name, "app.kubernetes.io/component": step.name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{workflow.name}-{step.name}"[:63].rstrip("-"), "labels": labels},
        "spec": {
            "backoffLimit": step.retries,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [container(step, options, values)],
                    "volumes": volumes(workflow),
                },
            },
        },
    }


def _script(workflow: Workflow, names: list[str]) -> str:
    """Starts each Job when those before it are done; stops at the first that fails, and shows its log."""
    lines = [
        "#!/bin/sh",
        header(workflow, "job", ["Run it where kubectl reaches the cluster; what is done already is found done."]),
        "set -eu",
        'cd "$(dirname "$0")"',
        "kubectl apply -f 00-files.yaml",
        "step() {",
        '    kubectl delete --ignore-not-found -f "$1"',
        '    kubectl apply -f "$1"',
        "    while :; do",
        '        kubectl wait --for=condition=complete --timeout=5s -f "$1" >/dev/null 2>&1 && return 0',
        '        if kubectl wait --for=condition=failed --timeout=1s -f "$1" >/dev/null 2>&1; then',
        '            kubectl logs --tail=50 "job/$2" >&2',
        '            echo "$2 failed" >&2',
        "            exit 1",
        "        fi",
        "    done",
        "}",
    ]
    for step, name in zip(workflow.steps, names, strict=True):
        lines.append(f"step {shlex.quote(name)} {f'{workflow.name}-{step}'[:63].rstrip('-')}")
    return "\n".join(lines) + "\n"
