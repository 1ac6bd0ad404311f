"""A workflow as a DAG file of Airflow 2 or 3: a task for each step."""

from __future__ import annotations

import shlex

from edgerig.suites.workflow.export.steps import SKIPPED, ExportOptions, header, step_words
from edgerig.suites.workflow.types import PlannedStep, Value, Workflow

_IMPORTS = """
from __future__ import annotations

import datetime

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2 without that provider
    from airflow.operators.bash import BashOperator
try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param
"""


def airflow_files(workflow: Workflow, options: ExportOptions) -> dict[str, str]:
    """The file by its name. Parameters are the DAG's; a step whose condition does not hold is shown as skipped."""
    lines = [
        header(workflow, "airflow", ["Airflow runs each step as `edgerig workflow run --only STEP` on its worker."]),
        _IMPORTS.lstrip("\n"),
        f"PARAMETERS = {_parameters(workflow)}",
        f"ENVIRONMENT = {_environment(workflow)}",
        "",
        "with DAG(",
        f"    dag_id={workflow.name!r},",
        "    schedule=None,",
        "    start_date=datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),",
        "    catchup=False,",
        "    # A step that measures must have the machine to itself.",
        "    max_active_tasks=1,",
        "    params=PARAMETERS,",
        "    tags=['edgerig'],",
        ") as dag:",
        "    steps = {}",
    ]
    for step in workflow.steps.values():
        lines += _task(step, workflow, options)
    for step in workflow.steps.values():
        lines += [f"    steps[{need!r}] >> steps[{step.name!r}]" for need in step.needs]
    return {f"{workflow.name.replace('-', '_')}.py": "\n".join(lines) + "\n"}


def _task(step: PlannedStep, workflow: Workflow, options: ExportOptions) -> list[str]:
    parameters = "".join(f' --param {name}="${_variable(name)}"' for name in workflow.parameters)
    command = f"{shlex.join(step_words(step, options))} --exit-if-skipped {SKIPPED}{parameters}"
    return [
        f"    steps[{step.name!r}] = BashOperator(",
        f"        task_id={step.name!r},",
        f"        bash_command={_no_template(command)!r},",
        "        env=ENVIRONMENT,",
        "        append_env=True,",
        f"        retries={step.retries},",
        f"        retry_delay=datetime.timedelta(seconds={step.wait!r}),",
        f"        skip_on_exit_code={SKIPPED},",
        "        trigger_rule='none_failed',",
        "    )",
    ]


def _parameters(workflow: Workflow) -> str:
    entries = [f"{name!r}: Param({value!r}, type={_json_type(value)!r})" for name, value in workflow.parameters.items()]
    return f"{{{', '.join(entries)}}}"


def _environment(workflow: Workflow) -> str:
    """Parameters as variables: put into the command's text, a value could be more than a value to the shell."""
    templates = {
        _variable(name): f"{{{{ params.{name} }}}}" if isinstance(value, str) else f"{{{{ params.{name} | tojson }}}}"
        for name, value in workflow.parameters.items()
    }
    return repr(templates)


def _variable(name: str) -> str:
    return f"EDGERIG_PARAM_{name}"


def _json_type(value: Value) -> str:
    return {bool: "boolean", int: "integer", float: "number"}.get(type(value), "string")


def _no_template(command: str) -> str:
    """A command whose braces Airflow's templates leave alone."""
    return f"{{% raw %}}{command}{{% endraw %}}" if "{" in command else command
