"""What a server or a file system refuses, as errors that say what to do, and that repeat nothing of a request.

The errors of the client quote the server's whole answer, which may hold the name of a key and what was signed with it:
of these only the status and the code are taken, and the client's error is not kept as the cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from edgerig.errors import StoreError
from edgerig.store.address import CREDENTIALS
from edgerig.text import one_line

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_SYSTEM = re.compile(r"([A-Z][\w ]{2,60}) \(os error (\d+)\)")
_HTTP = re.compile(r"HTTP error: ([\w ,]{1,80})")

_ADVICE = {
    "NoSuchBucket": "There is no such bucket: make it first, or mend its name.",
    "InvalidAccessKeyId": f"The server does not know the access key. {CREDENTIALS}",
    "SignatureDoesNotMatch": "The secret key does not belong to the access key, or a proxy changes requests.",
    "AccessDenied": "The key may not do that there: ask for the right to list, read and write.",
    "RequestTimeTooSkewed": "The clocks of this machine and the server differ: set this one's.",
    "ExpiredToken": "The session's token has expired: get a new one.",
    "PermanentRedirect": "The bucket is in another region: set AWS_REGION.",
    "AuthorizationHeaderMalformed": "The bucket is in another region: set AWS_REGION.",
}
_NETWORK = "Is the server there, is its address right (AWS_ENDPOINT_URL, or 'address' in the file of credentials)?"


class Missing(Exception):  # noqa: N818 - not an error of the user: an answer
    """There is no such object."""


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn errors of the client into `StoreError`, and what is not there into `Missing`.

    Args:
        doing: What is done, for the message, such as ``"Reading s3://lab/street"``.
    """
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        text = str(error)
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in text:
            raise Missing from None
        raise _readable(doing, text) from None


def _readable(doing: str, text: str) -> StoreError:
    code, status = _CODE.search(text), _STATUS.search(text)
    if code or status:
        reason = " ".join([*([f"status {status[1]}"] if status else []), *([code[1]] if code else [])])
        usual = CREDENTIALS if status and status[1] in ("401", "403") else None
        return StoreError(f"{doing} failed: {reason}.", _ADVICE.get(code[1] if code else "", usual))
    lowered = text.lower()
    if "certificate" in lowered or "unknownissuer" in lowered:
        hint = "Name the certificate of its authority as 'cert_path' in the file of credentials, or as AWS_CA_BUNDLE."
        return StoreError(f"{doing} failed: the server's certificate is not trusted.", hint)
    system = _SYSTEM.search(text)
    if system:
        hint = _NETWORK if "http" in lowered else "Look at the rights of that folder, and at the space on its disk."
        return StoreError(f"{doing} failed: {system[1]}.", hint)
    http = _HTTP.search(text)
    if http or "error sending request" in lowered:
        return StoreError(f"{doing} failed: no answer from the server.", _NETWORK)
    return StoreError(f"{doing} failed: {one_line(text.partition(chr(10))[0], 200)}.")
