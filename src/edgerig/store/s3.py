"""Stores in object storage that speaks S3."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from edgerig.errors import UsageError
from edgerig.store.credentials import find_access, find_set
from edgerig.store.faults import translated
from edgerig.store.store import Store

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Credential, S3Store

    from edgerig.store.access import Access

_logger = logging.getLogger(__name__)

#: Seconds in which a server that does not answer is asked again.
_PATIENCE = 30.0
_DEFAULT_REGION = "us-east-1"


def open_s3(address: str, credentials: str | None) -> Store:
    """Open ``s3://bucket/prefix``, or ``set://NAME/prefix``, a set out of a file of credentials; asks nothing yet.

    Raises:
        UsageError: There are no credentials, or they are not valid.
    """
    scheme, _, rest = address.partition("://")
    first, _, path = rest.strip("/").partition("/")
    shown_names = ""
    if scheme == "set":
        access, data = find_set(credentials, first)
        bucket, shown_names = data.bucket, data.dataset_filter
        prefix = "/".join(part for part in (data.prefix.strip("/"), path) if part)
    else:
        bucket, prefix = first, path
        access = find_access(credentials, bucket)
    if not access.verify:
        _logger.warning(
            "The certificate of %s is not checked (cert_verify): anybody may answer for it", access.endpoint
        )
    with translated(f"Opening {address}"):
        return Store(address, _client(access, bucket, prefix), shown_names=shown_names)


def _client(access: Access, bucket: str, prefix: str) -> S3Store:
    from obstore.store import S3Store

    def keys() -> S3Credential:
        return {
            "access_key_id": access.access_key,
            "secret_access_key": access.secret_key,
            "token": access.token,
            "expires_at": None,
        }

    region = access.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or _DEFAULT_REGION
    return S3Store(
        bucket,
        prefix=prefix or None,
        endpoint=access.endpoint or f"https://s3.{region}.amazonaws.com",
        region=region,
        virtual_hosted_style_request=False,
        # Not every server can delete several at once, and nothing here does.
        disable_bulk_delete=True,
        client_options=_options(access),
        retry_config={
            "max_retries": 8,
            "retry_timeout": timedelta(seconds=_PATIENCE),
            "backoff": {
                "init_backoff": timedelta(milliseconds=50),
                "max_backoff": timedelta(seconds=3),
                "base": 2,
            },
        },
        credential_provider=keys,
    )


def _options(access: Access) -> ClientConfig:
    options: ClientConfig = {
        "allow_http": (access.endpoint or "").startswith("http://"),
        "allow_invalid_certificates": not access.verify,
        # Of a whole request, large objects included, which are sent in pieces.
        "timeout": "120s",
        "connect_timeout": "5s",
    }
    if access.certificate:
        try:
            options["root_certificate"] = Path(access.certificate).read_bytes()
        except OSError as error:
            raise UsageError(f"Cannot read the certificate {access.certificate}: {error.strerror}.") from None
    return options
