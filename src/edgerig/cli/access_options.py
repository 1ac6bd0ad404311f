"""The options of every command that listens about who may come in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import click

from edgerig.cli.option_group import F, option_group

_logger = logging.getLogger(__name__)


def access_options(who: str, knows: str = "that know") -> Callable[[F], F]:
    """The options ``--tls``, ``--token-file`` and ``--insecure``; `read_token` reads the second.

    Args:
        who: Comes in, for the help: hosts, clients.
        knows: What they do with the token, as in ``hosts that know the token``.
    """
    return option_group(
        click.option(
            "--tls",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help=f"Speak TLS 1.3 only, with the keys in DIR, and let in only {who} with a certificate of the same CA.",
        ),
        click.option(
            "--token-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help=f"Let in only {who} {knows} the token in this file.  [default: the variable EDGERIG_TOKEN]",
        ),
        click.option(
            "--insecure", is_flag=True, help="Listen on other addresses than loopback, open to everybody there."
        ),
    )


def read_token(token_file: Path | None, tls: Path | None) -> bytes | None:
    """The token in ``token_file`` or the variable EDGERIG_TOKEN, if there is one; warns of secrets, the key in the
    folder ``tls`` among them, that other users of this machine may read.

    Raises:
        SpecError: The token cannot be read, or is none.
    """
    from edgerig.wire.ownership import load_token, others_may_read
    from edgerig.wire.tls import KEY

    token = load_token(token_file)
    for secret in (token_file, tls / KEY if tls is not None else None):
        if secret is not None and others_may_read(secret):
            _logger.warning("every user of this machine may read %s: chmod 600 %s", secret, secret)
    return token
