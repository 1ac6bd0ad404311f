"""Pages of other sites are refused, however their origin is written."""

import pytest

from edgerig.serve.ways.origin import refusal


@pytest.mark.parametrize("origin", ["null", "", "http://[::1", "http://evil.example"])
@pytest.mark.parametrize("host", ["", "device:8080"])
def test_what_is_no_origin_of_the_server_is_refused_also_where_no_host_is_named(origin: str, host: str) -> None:
    headers = {"origin": origin} | ({"host": host} if host else {})
    assert refusal(headers, ("192.0.2.1", 8080)) == "A page of another site may not use this server."


def test_the_servers_own_origin_is_let_in() -> None:
    assert refusal({"host": "device:8080", "origin": "http://device:8080"}, ("192.0.2.1", 8080)) is None
