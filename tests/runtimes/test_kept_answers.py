from pathlib import Path
from typing import Any

import pytest
from tests.needs import need_module

from edgerig.errors import InferenceError
from edgerig.runtimes import kept_answers, tflm
from edgerig.runtimes.kept_answers import kept_answer


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Asked:
    """Counts how often it is asked."""

    def __init__(self, tmp_path: Path) -> None:
        self.count, self.code = 0, tmp_path / "code.py"
        self.code.write_text("one")

    def __call__(self, question: Any = "size", content: str = "a", packages: tuple[str, ...] = ("numpy",)) -> int:
        def find_out() -> int:
            self.count += 1
            return self.count

        return kept_answer([question], content, find_out, code=[str(self.code)], packages=packages)


@pytest.fixture
def asked(tmp_path: Path, cache: Path) -> Asked:
    return Asked(tmp_path)


def test_it_is_asked_once_for_each_content_and_question(asked: Asked) -> None:
    assert [asked(), asked(), asked(content="b"), asked(question="names"), asked()] == [1, 1, 2, 3, 1]


def test_other_code_and_other_versions_are_asked_anew(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked() == 1
    asked.code.write_text("two")
    kept_answers._sum.cache_clear()
    assert asked() == 2
    monkeypatch.setattr(kept_answers, "version", lambda _: "9.9.9")
    assert asked() == 3
    assert asked() == 3


def test_an_error_is_raised_and_not_kept(asked: Asked) -> None:
    def fail() -> int:
        raise InferenceError("It is damaged.")

    for _ in range(2):
        with pytest.raises(InferenceError, match="damaged"):
            kept_answer(["size"], "a", fail, code=[str(asked.code)], packages=["numpy"])
    assert asked() == 1


def test_what_was_damaged_in_the_cache_is_asked_anew(asked: Asked, cache: Path) -> None:
    asked()
    (kept,) = [path for path in cache.rglob("*") if path.is_file()]
    kept.write_bytes(kept.read_bytes()[:-1] + b"7")
    assert asked() == 2
    assert asked() == 2


def test_a_device_without_a_place_for_a_cache_asks_each_time(
    asked: Asked, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file where the folder would be")
    assert [asked(), asked()] == [1, 2]

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(kept_answers.files, "cache_folder", homeless)
    assert asked() == 3


def test_a_network_is_checked_once_for_all_processes_that_run_it(
    float_tflite: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_module("tflite_micro", "tflite-micro")

    def loaded() -> tuple[Any, int]:
        tflm._known.clear()
        runtime = tflm.Tflm()
        runtime.load(float_tflite)
        return runtime.inputs, runtime._arena

    first = loaded()
    for checked in ("check_file", "arena_for"):
        monkeypatch.setattr(tflm, checked, lambda *_: pytest.fail("it was checked again"))
    assert loaded() == first
