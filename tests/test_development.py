"""Hooks before a commit, a container and debug configurations for whoever works on edgerig say what the rest says."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from edgerig.cli import COMMANDS, cli

ROOT = Path(__file__).parent.parent
#: What the container has besides: for its user, and for git.
BESIDES = {"ca-certificates", "git", "openssh-client", "sudo", "python3"}


def test_the_container_installs_what_ci_installs() -> None:
    listed = re.findall(r"packages\+=\(([^)]+)\)", (ROOT / ".ci" / "run").read_text())
    wanted = {name for names in listed for name in names.split()}
    assert len(wanted) > 10
    text = (ROOT / ".devcontainer" / "Dockerfile").read_text().replace("\\\n", " ")
    match = re.search(r"apt-get install ([^&]+)&&", text)
    assert match is not None
    installed = {word for word in match[1].split() if not word.startswith("-")}
    assert installed == wanted | BESIDES
    assert "FROM debian:bookworm" in text


def test_the_containers_description_names_things_that_there_are() -> None:
    described = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert (ROOT / ".devcontainer" / described["build"]["dockerfile"]).is_file()
    target = described["postCreateCommand"].removeprefix("make ").replace(".venv", "$(VENV)")
    assert f"\n{target}:" in (ROOT / "Makefile").read_text()
    settings = described["customizations"]["vscode"]["settings"]
    for schema, patterns in settings["yaml.schemas"].items():
        assert (ROOT / schema).is_file()
        assert all(list(ROOT.glob(pattern)) for pattern in patterns)


LAUNCHES = json.loads((ROOT / ".vscode" / "launch.json").read_text())["configurations"]


@pytest.mark.parametrize("launch", LAUNCHES, ids=lambda launch: launch["name"])
def test_a_debug_configuration_can_start(launch: dict[str, object]) -> None:
    words = [str(word) for word in launch["args"]]  # type: ignore[attr-defined]
    if launch.get("module") == "edgerig":
        assert words[0] in COMMANDS
        shown = CliRunner().invoke(cli, [words[0], "--help"], terminal_width=200).output
        assert all(word in shown for word in words if word.startswith("--"))
        assert all((ROOT / word).is_file() for word in words if word.endswith(".yaml"))
    elif "program" in launch:
        build, program = str(launch["program"]).removeprefix("${workspaceFolder}/").rsplit("/", 1)
        makefile = (ROOT / "firmware" / "Makefile").read_text()
        assert f"BUILD ?= ../{build}\n" in makefile
        assert f"$(BUILD)/{program}" in makefile
    else:
        assert launch["module"] == "pytest"


def test_the_hooks_before_a_commit_are_the_checks_of_make_and_need_no_download() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in hooks] == ["local"]
    entries = [shlex.split(hook["entry"]) for hook in hooks[0]["hooks"]]
    assert all(hook["language"] == "system" for hook in hooks[0]["hooks"])
    assert all(words[0].startswith(".venv/bin/") for words in entries)
    makefile = (ROOT / "Makefile").read_text()
    recipes = re.findall(r"^(?:lint|types): .*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    checks = [line.strip().replace("$(BIN)", ".venv/bin") for recipe in recipes for line in recipe.splitlines()]
    assert len(checks) >= 4
    # A hook is given the files that changed, in place of all.
    as_made = [" ".join(word for word in words if word != "--force-exclude") for words in entries]
    for check in checks:
        assert check.partition(" $$(find")[0].removesuffix(" .") in as_made
