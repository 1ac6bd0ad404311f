"""The archive of a program of torch.export (``.pt2``): its inputs and outputs, and that it holds no code."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import msgspec

from edgerig.errors import ModelError
from edgerig.formats import Specification
from edgerig.tensors import TensorSpec

#: PyTorch's numbers of scalar types in an archive, and numpy's names.
DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64", 12: "bool",
    28: "uint16", 34: "uint32", 35: "uint64",
}  # fmt: skip
#: Members of an archive that hold tensors as raw bytes, JSON or a version; others may hold code.
_HARMLESS = re.compile(
    r"data/(weights/(weight_\d+|model_weights_config\.json)|constants/(tensor_\d+|model_constants_config\.json))"
    r"|models/model\.json|archive_format|archive_version|byteorder|\.data/(version|serialization_id)|\.format_version"
    r"|\.storage_alignment"
)
#: The member that PyTorch pickles always; it is read with ``weights_only``, which runs no code.
_SAMPLES = "data/sample_inputs/model.pt"
#: Largest size of a JSON member, in bytes.
MOST_JSON = 256 << 20
HINT = "Save it again: torch.export.save(torch.export.export(model.eval(), (sample,)), 'net.pt2')."


class Archive:
    """The members of an archive by their names within its one folder.

    Raises:
        ModelError: It is no such archive, is damaged, or holds more than tensors and a graph.
    """

    def __init__(self, data: bytes, file: str) -> None:
        self.file = file
        try:
            self.zip = zipfile.ZipFile(io.BytesIO(data))
            damaged = self.zip.testzip()
        except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, OSError) as error:
            raise self._not_readable("it is no complete archive") from error
        if damaged is not None:
            raise self._not_readable(f"{damaged} is damaged")
        names = self.zip.namelist()
        if len(set(names)) != len(names):
            raise self._not_readable("a member is there twice")
        self.members = {name.partition("/")[2]: name for name in names}
        if len({name.partition("/")[0] for name in names}) != 1 or self._text("archive_format") != b"pt2":
            raise self._not_readable("it is no program of torch.export")
        self._refuse_code()

    def specification(self) -> Specification:
        """Inputs and outputs of the program; channels come first in inputs with a layout."""
        try:
            content = msgspec.json.decode(self._text("models/model.json"))["graph_module"]
            values, signature = content["graph"]["tensor_values"], content["signature"]
            inputs = [spec["user_input"]["arg"] for spec in signature["input_specs"] if "user_input" in spec]
            outputs = [spec["user_output"]["arg"] for spec in signature["output_specs"] if "user_output" in spec]
            names = [[argument["as_tensor"]["name"] for argument in group] for group in (inputs, outputs)]
            takes, gives = (tuple(_spec(name, values[name]) for name in group) for group in names)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
            raise self._not_readable("its inputs and outputs are no tensors of fixed shape") from error
        takes = tuple(msgspec.structs.replace(spec, layout="nchw") if len(spec.shape) == 4 else spec for spec in takes)
        return Specification(inputs=takes, outputs=gives)

    def sample_inputs(self) -> bytes | None:
        """The pickled inputs that it was exported with; to be read with ``weights_only`` alone."""
        return self._text(_SAMPLES) if _SAMPLES in self.members else None

    def _refuse_code(self) -> None:
        strange = [name for name in self.members if not _HARMLESS.fullmatch(name) and name != _SAMPLES]
        for config in ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json"):
            entries: Any = {}
            if config in self.members:
                try:
                    entries = msgspec.json.decode(self._text(config))["config"]
                    strange += [name for name, entry in entries.items() if entry["use_pickle"]]
                except (msgspec.MsgspecError, KeyError, TypeError, AttributeError) as error:
                    raise self._not_readable(f"{config} is damaged") from error
        if strange:
            raise ModelError(
                f"{self.file} holds more than tensors and a graph: {', '.join(sorted(strange)[:3])}. That could be "
                "code, and is not read.",
                HINT,
            )

    def _text(self, name: str) -> bytes:
        if name not in self.members or self.zip.getinfo(self.members[name]).file_size > MOST_JSON:
            raise self._not_readable(f"it has no {name}")
        return self.zip.read(self.members[name])

    def _not_readable(self, why: str) -> ModelError:
        return ModelError(
            f"{self.file} is not a program that PyTorch can read: {why}. Pickled modules and state dicts are not read: "
            "they can run code, and do not tell the network.",
            HINT,
        )


def _spec(name: str, value: dict[str, Any]) -> TensorSpec:
    shape = tuple(int(size["as_int"]) for size in value["sizes"])
    return TensorSpec(name=name, shape=shape, dtype=DTYPES[value["dtype"]])
