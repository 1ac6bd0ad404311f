"""The service for systemd fits the command."""

import re
import shlex
import subprocess
from pathlib import Path

import click
from tests.needs import need

from edgerig.cli.agent_command import command

UNIT = Path(__file__).parents[2] / "examples" / "agent" / "edgerig-agent.service"


def test_every_command_line_in_the_unit_is_one_that_the_agent_takes():
    lines = re.findall(r"^(?:# )?ExecStart=(.+)$", UNIT.read_text(), re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        program, name, *words = shlex.split(line)
        assert (program, name) == ("/opt/edgerig/bin/edgerig", "agent")
        with click.Context(command) as context:
            command.make_parser(context).parse_args(list(words))
        # On all addresses: only with a guard.
        assert "--tls" in words or "--token-file" in words


def test_keys_are_handed_over_under_the_names_that_the_agent_reads():
    from edgerig.wire.tls import CA, CERTIFICATE, KEY

    names = re.findall(r"^LoadCredential=([^:]+):", UNIT.read_text(), re.MULTILINE)
    assert names == [CA, CERTIFICATE, KEY]


def test_systemd_understands_the_unit(tmp_path):
    need("systemd-analyze")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/edgerig/bin/edgerig", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert UNIT.name not in done.stderr
