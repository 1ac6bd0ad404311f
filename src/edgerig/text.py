"""Makes untrusted texts safe for a terminal, a page or a log.

Names, messages and logs come from devices, model files, datasets and bundles. Characters that a terminal or a browser
would obey instead of showing are written as escapes (``\\x1b``): control characters of C0 and C1, which move the cursor
or rename the window, direction marks, which make ``gpj.exe`` look like ``exe.jpg``, line separators, and characters
that are no text at all. Cleaning twice has the same result as cleaning once.
"""

from __future__ import annotations

import re

#: Longest displayed name or message, in characters.
LONGEST_LINE = 500
#: Longest displayed text of several lines, in characters.
LONGEST_TEXT = 8000

#: C0, DEL, C1; soft hyphen and zero-width characters; separators and direction marks; surrogates, specials, tags.
_HARMFUL = (
    "\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
)
#: A line of an engine's message that ends with where in its source it failed, and says nothing else to a user.
_PLACE = re.compile(r"(?:Exception from|Check .* failed at) \S+:\d+:?")
_BREAKS = re.compile(r"[\r\n\t\v\f]+")
_CLEAN = re.compile(f"[{_HARMFUL}]")
_CLEAN_LINES = re.compile(f"(?![\n\t])[{_HARMFUL}]")
#: JSON escapes C0 by itself.
_CLEAN_JSON = re.compile(f"(?![\x00-\x1f])[{_HARMFUL}]")


def one_line(text: object, longest: int = LONGEST_LINE) -> str:
    """``text`` on one line: line breaks and tabs become blanks, harmful characters escapes, and the rest is cut off."""
    # Split instead of one pattern with the blanks around the break, which would take quadratic time in long runs.
    joined = " ".join(part.strip(" ") for part in _BREAKS.split(str(text))).strip()
    return cut(_CLEAN.sub(_escape, joined), longest)


def counted(count: int, noun: str) -> str:
    """A number of things in words.

    >>> counted(1, "sample"), counted(2000, "sample")
    ('1 sample', '2,000 samples')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def cause_of(error: BaseException, longest: int = 300) -> str:
    """An exception of a plugin or an engine in a message: its type and the first line of what it says.

    The type is always named: the text of a `KeyError` is the key alone. Lines that name a place in an engine's source
    are passed over, and one that ends in a colon goes on in the next.

    >>> cause_of(KeyError(-1))
    'KeyError: -1'
    >>> cause_of(ZeroDivisionError())
    'ZeroDivisionError'
    >>> cause_of(RuntimeError("Exception from src/core.cpp:84:\\nReading failed:\\nno operator Foo.\\nSummary"))
    'RuntimeError: Reading failed: no operator Foo'
    """
    said = [line.strip() for line in str(error)[:LONGEST_TEXT].split("\n") if line.strip()]
    telling = [line for line in said if not _PLACE.fullmatch(line)] or said
    ends = next((number for number, line in enumerate(telling) if not line.endswith(":")), len(telling) - 1)
    first = one_line(" ".join(telling[: ends + 1]), longest).rstrip(" .:")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def lines(text: object, longest: int = LONGEST_TEXT) -> str:
    """``text`` with its line breaks and tabs, harmful characters escaped; the end is cut off where it is too long."""
    whole = str(text).replace("\r\n", "\n")
    return cut(_CLEAN_LINES.sub(_escape, whole), longest)


def harmless(text: str) -> str:
    """The whole ``text``, with its line breaks and tabs, harmful characters escaped."""
    # Nothing harmful is printable; and a page has a hundred thousand texts.
    return text if text.isprintable() else _CLEAN_LINES.sub(_escape, text)


def harmless_json(document: str) -> str:
    """The same JSON document, with characters that a terminal would obey as JSON's own escapes."""
    return _CLEAN_JSON.sub(_json_escape, document)


def cut(text: str, longest: int) -> str:
    """``text``, or its beginning that fits, with a note about the rest."""
    if len(text) <= longest:
        return text
    rest = f"… ({len(text):,} characters)"
    return text[: max(0, longest - len(rest))] + rest


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
