import os

import pytest

from edgerig.bounded.stderr import captured_stderr


def test_native_words_are_caught_and_the_descriptor_is_given_back(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_stderr() as text:
        os.write(2, b"inside\n")
    os.write(2, b"outside\n")
    assert text() == "inside\n"
    assert capfd.readouterr().err == "outside\n"


def test_the_descriptor_is_given_back_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with captured_stderr():
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    os.write(2, b"outside\n")
    assert capfd.readouterr().err == "outside\n"
