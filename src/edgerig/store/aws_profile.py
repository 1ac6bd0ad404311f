"""The usual profile: ``~/.aws/credentials`` and ``~/.aws/config``, as the AWS tools read them."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path

from edgerig.errors import UsageError
from edgerig.store.access import Access

#: Ways to get keys that need the AWS tools.
_ELSEWHERE = ("credential_process", "sso_session", "sso_start_url", "role_arn")


def read_profile(variables: Mapping[str, str], *, keys: bool = True) -> Access | None:
    """The profile that ``AWS_PROFILE`` names, or ``default``, with what the environment says of server and region.

    Args:
        keys: Whether keys are wanted: without, only server, region and certificate are.

    Returns:
        None where there is no profile and none was named.

    Raises:
        UsageError: The profile that was named is not there, has no keys, or gets them by a program.
    """
    name = variables.get("AWS_PROFILE") or "default"
    home = Path(variables.get("HOME") or Path.home())
    secrets = Path(variables.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials")
    config = Path(variables.get("AWS_CONFIG_FILE") or home / ".aws" / "config")
    section = _section(config, "default" if name == "default" else f"profile {name}") | _section(secrets, name)
    if keys and not section and "AWS_PROFILE" not in variables:
        return None
    if keys and not (section.get("aws_access_key_id") and section.get("aws_secret_access_key")):
        means = [key for key in _ELSEWHERE if key in section]
        if means:
            raise UsageError(
                f"The profile {name!r} gets its keys by {means[0]}, which needs the AWS tools.",
                f'Run: eval "$(aws configure export-credentials --profile {name} --format env)"',
            )
        if not section or "AWS_PROFILE" in variables:
            raise UsageError(f"There is no profile {name!r} with keys in {secrets}.", "Look at AWS_PROFILE.")
        return None
    return Access(
        name=f"the profile {name}",
        access_key=section.get("aws_access_key_id", ""),
        secret_key=section.get("aws_secret_access_key", ""),
        token=section.get("aws_session_token"),
        endpoint=variables.get("AWS_ENDPOINT_URL_S3")
        or variables.get("AWS_ENDPOINT_URL")
        or section.get("endpoint_url"),
        region=variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or section.get("region"),
        certificate=variables.get("AWS_CA_BUNDLE") or section.get("ca_bundle"),
    )


def _section(path: Path, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        text = path.expanduser().read_text()
    except (OSError, UnicodeDecodeError):
        return {}
    try:
        parser.read_string(text)
    except configparser.Error:
        # Its message quotes the line, which may be a key.
        raise UsageError(f"{path} is no file of profiles.", "It has sections such as [default].") from None
    return dict(parser[name]) if parser.has_section(name) else {}
