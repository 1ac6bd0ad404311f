"""The contract of a format: subclass `FormatContract` and provide its fixtures to test your format.

::

    class TestMyFormat(FormatContract):
        @pytest.fixture
        def format(self): return MyFormat()

        @pytest.fixture
        def network(self, tmp_path): return write_my_network(tmp_path / "given" / "net.mine")
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from edgerig import formats, plugins
from edgerig.artifact import ITEM_SIZES, Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.errors import EdgerigError, ModelError
from edgerig.files import sha256
from edgerig.formats import Format, Specification
from edgerig.models.files import open_artifact, specification_of
from edgerig.models.graph.read import graph_in
from edgerig.runtimes.base import Runtime

SCHEMES = ("float32", "float64", "float16", "bfloat16", "dynamic", "int8", "int16x8")


def _reason(path: Path) -> str | None:
    """Why a network cannot be opened; None if it can."""
    try:
        open_artifact(path)
    except EdgerigError as error:
        return str(error)
    return None


class FormatContract:
    """Tests that every format passes. A subclass provides the fixtures ``format`` and ``network``."""

    @pytest.fixture
    def format(self) -> Format:
        """The format under test."""
        raise NotImplementedError("give the fixture `format`")

    @pytest.fixture
    def network(self) -> Path:
        """A small network in it: a file, the first of several files, or a folder; with nothing else beside it."""
        raise NotImplementedError("give the fixture `network`")

    @pytest.fixture
    def copy(self, format: Format, network: Path, tmp_path: Path) -> Path:
        """A copy of the network that a test may damage."""
        return format.store(format.payload(network), tmp_path / "copy" / network.name)

    def test_the_class_declares_what_it_is(self, format: Format) -> None:
        assert format.name
        assert format.summary
        assert format.suffixes
        assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in format.suffixes)
        assert format.storage in ("file", "files", "folder")

    def test_the_runtime_and_the_compiler_that_it_names_are_there(self, format: Format) -> None:
        if format.runtime is not None:
            assert format.name in plugins.find("runtime", format.runtime, Runtime).formats
        if format.compiler is not None:
            assert format.name in plugins.find("compiler", format.compiler, ModelCompiler).takes

    def test_it_is_found_by_its_name_and_by_the_suffix_of_its_files(self, format: Format, network: Path) -> None:
        assert type(formats.named(format.name)) is type(format)
        assert type(formats.format_of(network)) is type(format)

    def test_its_files_are_there_and_the_network_is_among_them(self, format: Format, network: Path) -> None:
        members = format.files(network)
        assert members
        assert len(set(members)) == len(members)
        assert network.is_dir() if format.storage == "folder" else members[0] == network
        assert members == format.files(network)

    def test_what_travels_is_the_same_each_time(self, format: Format, network: Path) -> None:
        assert format.payload(network) == format.payload(network)

    def test_a_copy_made_of_what_travels_is_the_same_network(self, format: Format, network: Path, copy: Path) -> None:
        assert format.payload(copy) == format.payload(network)
        assert copy.name == network.name
        assert specification_of(format, copy) == specification_of(format, network)
        assert format.size(format.payload(copy)) == sum(member.stat().st_size for member in format.files(copy))

    def test_a_copy_received_on_a_device_is_the_same_network(
        self, format: Format, network: Path, tmp_path: Path
    ) -> None:
        part = tmp_path / "network.part"
        part.write_bytes(format.payload(network))
        received = format.receive(part, tmp_path / f"0123456789{format.suffixes[0]}")
        assert format.payload(received) == format.payload(network)
        assert not part.exists()

    def test_every_byte_of_every_file_counts(self, format: Format, copy: Path) -> None:
        """A file that was changed anywhere is another network, or none."""
        before = sha256(format.payload(copy))
        for member in format.files(copy):
            content = member.read_bytes()
            for position in {0, len(content) // 2, len(content) - 1} if content else ():
                changed = bytearray(content)
                changed[position] ^= 1
                member.write_bytes(changed)
                with contextlib.suppress(ModelError):
                    assert sha256(format.payload(copy)) != before, member
            member.write_bytes(content)
        assert sha256(format.payload(copy)) == before

    def test_inputs_and_outputs_are_told(self, format: Format, network: Path) -> None:
        specification = specification_of(format, network)
        if specification is None:
            pytest.skip("its files do not tell their inputs and outputs")
        self.check_specification(specification)

    def check_specification(self, specification: Specification) -> None:
        """Tensors have names, types that numpy knows, and sizes."""
        assert specification.scheme in SCHEMES
        for specs in (specification.inputs, specification.outputs):
            assert specs
            assert len({spec.name for spec in specs}) == len(specs)
            for spec in specs:
                assert spec.name
                assert spec.dtype in ITEM_SIZES
                assert all(size > 0 or size == -1 for size in spec.shape)

    def test_operators_are_a_graph_or_nothing(self, format: Format, network: Path) -> None:
        graph = graph_in(format, network)
        if graph is None:
            pytest.skip("its operators are not told")
        assert graph.format == format.name
        specification = specification_of(format, network)
        assert specification is not None
        assert [graph.tensors[index].name for index in graph.inputs] == [spec.name for spec in specification.inputs]

    def test_details_are_texts(self, format: Format, network: Path) -> None:
        for title, text in format.details(network).items():
            assert isinstance(title, str)
            assert isinstance(text, str)

    def test_an_artifact_is_opened_and_a_changed_file_is_not_taken_for_it(self, format: Format, copy: Path) -> None:
        if specification_of(format, copy) is None:
            pytest.skip("its files do not tell their inputs and outputs")
        artifact = open_artifact(copy)
        assert artifact.format == format.name
        assert artifact.read() == format.payload(copy)
        last = format.files(copy)[-1]
        last.write_bytes(last.read_bytes() + b"\0")
        with pytest.raises(ModelError):
            artifact.read()

    def test_its_description_is_kept_beside_it(self, format: Format, copy: Path) -> None:
        if specification_of(format, copy) is None:
            pytest.skip("its files do not tell their inputs and outputs")
        artifact = open_artifact(copy)
        description = artifact.save()
        assert Artifact.load(description).read() == artifact.read()
        assert open_artifact(copy) == artifact, "the description is no part of the network"

    def test_what_is_cut_short_is_refused_in_words(self, format: Format, copy: Path) -> None:
        """Whatever error a damaged file causes in the reader, the user gets an edgerig error that names the file."""
        for member in format.files(copy):
            content = member.read_bytes()
            for size in (0, 1, len(content) // 2):
                member.write_bytes(content[:size])
                reason = _reason(copy)
                assert reason is None or copy.name in reason or member.name in reason
            member.write_bytes(content)

    def test_what_is_missing_is_refused_in_words(self, format: Format, copy: Path, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="absent"):
            format.payload(tmp_path / f"absent{format.suffixes[0]}")
        if format.storage == "files":
            format.files(copy)[-1].unlink()
            with pytest.raises(ModelError):
                format.payload(copy)

    def test_a_link_out_of_the_network_does_not_travel(self, format: Format, copy: Path, tmp_path: Path) -> None:
        if format.storage == "file":
            pytest.skip("it is one file")
        last = format.files(copy)[-1]
        shutil.move(last, tmp_path / "elsewhere")
        last.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ModelError, match="folder"):
            format.payload(copy)
