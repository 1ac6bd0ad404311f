"""Servers for object storage on loopback: `moto` in a process of its own with keys checked, and one of ours that lacks
what a store needs."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import msgspec

_SERVE = """
import json, logging, os, sys
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"
from moto.server import ThreadedMotoServer
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
logging.disable(logging.CRITICAL)
account = "123456789012"
users = iam_backends[account]["aws"]
users.create_user("us-east-1", "tester")
key = users.create_access_key("tester")
allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
users.put_user_policy("tester", "all", json.dumps(allowed))
for bucket in ("lab", "other"):
    s3_backends[account]["aws"].create_bucket(bucket, "us-east-1")
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
answer = {"port": server.get_host_and_port()[1], "access": key.access_key_id, "secret": key.secret_access_key}
print(json.dumps(answer), flush=True)
sys.stdin.read()
"""


class Server(msgspec.Struct, frozen=True):
    """A server for object storage with the buckets ``lab`` and ``other``.

    Attributes:
        port: Of 127.0.0.1.
        access, secret: A pair of keys that may do everything.
    """

    port: int
    access: str
    secret: str

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a process gets in."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
        }


@contextlib.contextmanager
def moto_server() -> Iterator[Server]:
    """A `moto` server that checks every request's keys; it ends with the block, and with this process."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield Server(**json.loads(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.stdout.close()
        process.kill()
        process.wait()


def request(server: Server, method: str, path: str) -> int:
    """The status of a request without keys."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    finally:
        connection.close()
