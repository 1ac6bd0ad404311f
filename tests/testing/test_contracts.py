"""Contracts fail on what they are there to find."""

from __future__ import annotations

import pytest

from edgerig.errors import UnknownNameError
from edgerig.formats import named
from edgerig.runtimes.litert import LiteRt
from edgerig.testing.contracts.format import FormatContract
from edgerig.testing.contracts.runtime import RuntimeContract


class Misspelt(LiteRt):
    name = "misspelt"
    formats = frozenset({"tflit"})


def test_a_format_that_is_not_there_fails_the_contract_of_a_runtime() -> None:
    RuntimeContract().test_the_class_declares_what_it_is(LiteRt())
    with pytest.raises(UnknownNameError, match="Did you mean 'tflite'"):
        RuntimeContract().test_the_class_declares_what_it_is(Misspelt())


@pytest.mark.parametrize(("attribute", "value"), [("runtime", "litter"), ("compiler", "flaot32")])
def test_a_runtime_or_compiler_that_is_not_there_fails_the_contract_of_a_format(
    attribute: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    format, contract = named("tflite"), FormatContract()
    contract.test_the_runtime_and_the_compiler_that_it_names_are_there(format)
    monkeypatch.setattr(type(format), attribute, value)
    with pytest.raises(UnknownNameError):
        contract.test_the_runtime_and_the_compiler_that_it_names_are_there(format)


def test_a_runtime_that_does_not_take_the_format_fails_its_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(named("tflite")), "runtime", "onnxruntime")
    with pytest.raises(AssertionError):
        FormatContract().test_the_runtime_and_the_compiler_that_it_names_are_there(named("tflite"))
