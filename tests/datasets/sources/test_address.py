from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.datasets.sources import Address, parse_address
from edgerig.errors import SpecError, UnknownNameError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("digits.npz", Address("file", "digits.npz")),
        ("/data/digits.npz", Address("file", "/data/digits.npz")),
        ("~/digits.npz", Address("file", "~/digits.npz")),
        ("file:data/digits.npz", Address("file", "data/digits.npz")),
        ("file:///data/digits.npz", Address("file", "/data/digits.npz")),
        ("bundled:mnist.npz", Address("bundled", "mnist.npz")),
        ("https://example.org/a.npz?b=c", Address("https", "https://example.org/a.npz?b=c")),
        ("pypi:some-thing==1.0.2!pkg/data/a.npz", Address("pypi", "some-thing", "1.0.2", "pkg/data/a.npz")),
        ("npm:some-thing@1.0.2!package/a.json", Address("npm", "some-thing", "1.0.2", "package/a.json")),
        ("npm:@scope/x@1.0.2-rc.1!package/a", Address("npm", "@scope/x", "1.0.2-rc.1", "package/a")),
    ],
)
def test_addresses_are_parsed(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://example.org/a.npz",
        "pypi:thing!a",
        "pypi:thing>=1.0!a",
        "pypi:thing==1.0",
        "pypi:thing==1.0!",
        "pypi:--index-url=x==1!a",
        "pypi:thing==1.0 --pre!a",
        "npm:thing@latest!a",
        "npm:thing@^1.0.0!a",
        "npm:thing!a",
        "npm:-g@1.0.0!a",
        "npm:../../thing@1.0.0!a",
    ],
)
def test_anything_but_an_exact_package_and_file_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        parse_address(text)


@pytest.mark.parametrize("member", ["/etc/passwd", "../a", "a/../../b", "a//b", "./a", "a/..", "a\\..\\b", "a\0b"])
def test_members_outside_of_the_archive_are_refused(member: str) -> None:
    for start in ("pypi:thing==1.0!", "npm:thing@1.0.0!", "bundled:"):
        with pytest.raises(SpecError, match="no path inside an archive"):
            parse_address(start + member)


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        parse_address("pypl:thing==1.0!a")
    assert "'pypi'" in str(caught.value.hint)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_clear_error(text: str) -> None:
    try:
        parse_address(text)
    except (SpecError, UnknownNameError) as error:
        assert error.hint  # noqa: PT017 - either way is right; nothing else may be raised
