"""A workflow as an Argo Workflow: a DAG with parameters, conditions and retries."""

from __future__ import annotations

from typing import Any

from edgerig.suites.workflow.conditions import argo_condition
from edgerig.suites.workflow.export.containers import config_map, container, dump, volumes
from edgerig.suites.workflow.export.steps import ExportOptions, header, parameter_texts
from edgerig.suites.workflow.types import PlannedStep, Workflow


def argo_files(workflow: Workflow, options: ExportOptions) -> dict[str, str]:
    """The files by name: the Workflow, and the ConfigMap that its pods mount."""
    files, left = config_map(workflow)
    notes = [
        f"kubectl apply -f {workflow.name}-files.yaml; argo submit {workflow.name}.yaml -p NAME=VALUE",
        *(f"Not in the ConfigMap, and needed in the image or in a store: {path}" for path in left),
    ]
    return {
        f"{workflow.name}-files.yaml": header(workflow, "argo") + dump(files),
        f"{workflow.name}.yaml": header(workflow, "argo", notes) + dump(argo_workflow(workflow, options)),
    }


def argo_workflow(workflow: Workflow, options: ExportOptions) -> dict[str, Any]:
    """The manifest of the Workflow."""
    parameters = parameter_texts(workflow.parameters)
    steps = list(workflow.steps.values())
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": f"{workflow.name}-", "labels": {"app.kubernetes.io/part-of": workflow.name}},
        "spec": {
            "entrypoint": "steps",
            "arguments": {"parameters": [{"name": name, "value": value} for name, value in parameters.items()]},
            "volumes": volumes(workflow),
            "templates": [
                {"name": "steps", "dag": {"tasks": [_task(step, workflow) for step in steps]}},
                *(_template(step, workflow, options) for step in steps),
            ],
        },
    }


def _task(step: PlannedStep, workflow: Workflow) -> dict[str, Any]:
    # A task that was skipped counts as done for those that depend on it.
    task: dict[str, Any] = {"name": step.name, "template": step.name}
    if step.needs:
        task["dependencies"] = list(step.needs)
    if step.when is not None:
        task["when"] = argo_condition(step.when, workflow.parameters)
    return task


def _template(step: PlannedStep, workflow: Workflow, options: ExportOptions) -> dict[str, Any]:
    values = [f"{name}={{{{workflow.parameters.{name}}}}}" for name in workflow.parameters]
    template: dict[str, Any] = {"name": step.name, "container": container(step, options, values)}
    if step.retries:
        template["retryStrategy"] = {
            "limit": str(step.retries),
            "retryPolicy": "Always",
            "backoff": {"duration": f"{max(1, round(step.wait))}s"},
        }
    if step.measures:
        template["synchronization"] = {"mutexes": [{"name": "edgerig-measures"}]}
    return template
