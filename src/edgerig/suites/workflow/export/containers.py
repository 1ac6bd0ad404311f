"""What Argo Workflows and Kubernetes Jobs have in common: the container of a step, and the files that it is given."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

from edgerig.suites.workflow.export.steps import ExportOptions, files_beside, step_words
from edgerig.suites.workflow.types import PlannedStep, Workflow

#: Where the workflow file and the small files beside it lie in a container.
FOLDER = "/workflow"
#: Where a container works; nothing there outlives it.
WORK = "/work"
#: The secret with the store's keys, as variables such as AWS_ACCESS_KEY_ID.
SECRET = "edgerig-store"


def config_map(workflow: Workflow) -> tuple[dict[str, Any], list[str]]:
    """The workflow file and what it reads from beside it, and the inputs that are not in it."""
    contents, left = files_beside(workflow)
    texts, binary = {}, {}
    for path, data in contents.items():
        try:
            texts[_key(path)] = data.decode("utf-8")
        except UnicodeDecodeError:
            import base64

            binary[_key(path)] = base64.b64encode(data).decode("ascii")
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": map_name(workflow)},
        "data": texts,
        **({"binaryData": binary} if binary else {}),
    }
    return manifest, [str(path) for path in left]


def volumes(workflow: Workflow) -> list[dict[str, Any]]:
    """The volumes of a step's pod: the files of `config_map` under their own paths, and a folder to work in."""
    contents, _ = files_beside(workflow)
    items = [{"key": _key(path), "path": path} for path in contents]
    return [
        {"name": "workflow", "configMap": {"name": map_name(workflow), "items": items}},
        {"name": "work", "emptyDir": {}},
    ]


def container(step: PlannedStep, options: ExportOptions, parameters: Iterable[str]) -> dict[str, Any]:
    """The container of a step.

    Args:
        parameters: ``NAME=VALUE`` for ``--param``, in the engine's own way of inserting values.
    """
    words = step_words(step, options)
    return {
        "name": step.name,
        "image": options.image,
        "command": words[:1],
        "args": [*words[1:], *(word for parameter in parameters for word in ("--param", parameter))],
        "workingDir": WORK,
        "env": [{"name": "EDGERIG_CACHE", "value": f"{WORK}/cache"}],
        "envFrom": [{"secretRef": {"name": SECRET, "optional": True}}],
        "volumeMounts": [{"name": "workflow", "mountPath": FOLDER}, {"name": "work", "mountPath": WORK}],
    }


def map_name(workflow: Workflow) -> str:
    """The name of the ConfigMap with the workflow file."""
    return f"{workflow.name}-workflow"


def dump(*manifests: dict[str, Any]) -> str:
    """Manifests as one YAML text."""
    return yaml.dump_all(manifests, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Writes each value where it stands, and a text of several lines as such."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _key(path: str) -> str:
    """A path as a key of a ConfigMap, which has no slashes."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", path.replace("/", "__"))
