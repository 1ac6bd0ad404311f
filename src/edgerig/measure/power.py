"""Power, energy and temperature, where the machine has sensors for them.

Sources: Linux' hwmon (``Documentation/hwmon/sysfs-interface``), among them the INA sensors of Jetsons and others;
the rails of older Jetsons by iio; RAPL (``Documentation/power/powercap``); NVIDIA's GPUs by NVML or ``nvidia-smi``.
Rails overlap, such as a board's input and the processor behind it: they are not to be added up.

``root`` is ``/``, or a folder that a test filled with the files of some other machine.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.linux import PLAUSIBLE_C, read, read_int

MICRO, MILLI = 1e-6, 1e-3
_SMI_FIELDS = "index,name,power.draw,temperature.gpu"
_SMI_SECONDS = 5.0
#: Chips of hwmon that are drivers of graphics cards.
_GRAPHICS = ("amdgpu", "nouveau", "i915", "xe")


def sensors(root: Path = Path("/")) -> dict[str, Quantity]:
    """All sensors now: ``power/NAME`` in W, ``energy/NAME`` in J since some moment, ``temperature/NAME`` in °C.

    Without a sensor, ``power`` and ``temperature`` are `Unavailable` with a reason; never 0.
    Takes some milliseconds, with an NVIDIA GPU and without NVML's Python module some more; raises nothing.
    """
    return _named((*_kernel(root), *_nvidia(root)))


def kernel_sensors(root: Path = Path("/")) -> dict[str, Quantity]:
    """As `sensors`, without NVIDIA's GPUs: these take a library or a program, others a file of the kernel."""
    return _named(_kernel(root))


def _kernel(root: Path) -> Iterator[tuple[str, Quantity]]:
    for source in (_hwmon, _iio, _thermal, _rapl):
        yield from source(root)


def _named(readings: Iterable[tuple[str, Quantity]]) -> dict[str, Quantity]:
    """Sensors by unique names, and why there is no power or temperature where there is none."""
    quantities: dict[str, Quantity] = {}
    for name, quantity in readings:
        unique, number = name, 2
        while unique in quantities:  # two sensors of one name
            unique, number = f"{name} ({number})", number + 1
        quantities[unique] = quantity
    if not any(key.startswith("power/") for key in quantities):
        quantities["power"] = Unavailable(
            "no sensor tells the power: no hwmon power or INA sensor, no rails, no NVIDIA GPU"
        )
    if not any(key.startswith("temperature/") for key in quantities):
        quantities["temperature"] = Unavailable("no sensor tells the temperature: no thermal zone, no hwmon")
    return quantities


class Counter(msgspec.Struct, frozen=True):
    """An energy counter: ``joules`` now, and the joules at which it wraps around to 0, if it does."""

    joules: float
    wraps_at: float | None


def energy_counters(root: Path = Path("/")) -> dict[str, Counter]:
    """RAPL's counters that can be read, by name: ``package-0``, ``package-0/core``."""
    counters = {}
    for name, folder in _rapl_zones(root):
        value, wrap = read_int(folder / "energy_uj"), read_int(folder / "max_energy_range_uj")
        if value is not None:
            counters[name] = Counter(value * MICRO, wrap * MICRO if wrap else None)
    return counters


def joules_between(before: Counter, after: Counter) -> float | Unavailable:
    """Joules from ``before`` to ``after`` of one counter; one wrap-around is taken into account.

    >>> joules_between(Counter(9.0, 10.0), Counter(1.0, 10.0))
    2.0
    """
    used = after.joules - before.joules
    if used < 0 and after.wraps_at:
        used += after.wraps_at
    if used < 0:
        return Unavailable("its counter went backwards, and does not say where it begins again")
    return used


def of_graphics(quantity: Measurement) -> bool:
    """Whether a power is that of a graphics card, which is no part of what a processor's inference takes."""
    return quantity.method.split(" ")[1:2] in ([chip] for chip in _GRAPHICS)


def _hwmon(root: Path) -> Iterator[tuple[str, Quantity]]:
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        chip = read(folder / "name") or folder.name
        numbers = set()
        for path in _numbered(folder, "power", "_input", "_average"):
            number = path.name.removeprefix("power").partition("_")[0]
            watts = read_int(path)
            if number in numbers or watts is None:
                continue
            numbers.add(number)
            name = _label(folder, chip, f"power{number}")
            yield f"power/{name}", _measured(watts * MICRO, "W", f"hwmon {chip} {path.name}")
        if chip.startswith("ina") and not numbers:
            yield from _volts_times_amperes(folder, chip)
        for path in _numbered(folder, "temp", "_input"):
            yield from _celsius(path, _label(folder, chip, path.name.removesuffix("_input")), f"hwmon {chip}")


def _volts_times_amperes(folder: Path, chip: str) -> Iterator[tuple[str, Quantity]]:
    """Power of an INA sensor that tells voltage (mV) and current (mA) only, such as the INA3221 of a Jetson."""
    for path in _numbered(folder, "curr", "_input"):
        number = path.name.removeprefix("curr").removesuffix("_input")
        volts, amperes = read_int(folder / f"in{number}_input"), read_int(path)
        # A channel that is not wired shows no voltage.
        if volts and amperes is not None:
            name = _label(folder, chip, f"in{number}")
            method = f"hwmon {chip} in{number}_input times curr{number}_input"
            yield f"power/{name}", _measured(volts * MILLI * amperes * MILLI, "W", method)


def _iio(root: Path) -> Iterator[tuple[str, Quantity]]:
    """Rails that iio tells in mW: Jetsons before JetPack 5 (``rail_name_0``), and INA2xx as iio devices."""
    folders = {
        *(root / "sys/bus/i2c/drivers/ina3221x").glob("*/iio*"),
        *(root / "sys/bus/i2c/drivers/ina3221x").glob("*/iio/iio*"),
        *(root / "sys/bus/iio/devices").glob("iio:device*"),
    }
    seen = set()
    for folder in sorted(folders):
        if folder.resolve() in seen:
            continue
        seen.add(folder.resolve())
        chip = read(folder / "name") or folder.name
        for path in _numbered(folder, "in_power", "_input", "_raw"):
            number = path.name.removeprefix("in_power").partition("_")[0]
            value = _number(read(path))
            if value is not None and path.name.endswith("_raw"):
                scale = _number(read(folder / f"in_power{number}_scale") or read(folder / "in_power_scale"))
                value = value * scale if scale is not None else None
            if value is not None:
                name = read(folder / f"rail_name_{number}") or f"{chip} power{number}"
                yield f"power/{name}", _measured(value * MILLI, "W", f"iio {chip} {path.name}")


def _thermal(root: Path) -> Iterator[tuple[str, Quantity]]:
    for folder in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        yield from _celsius(folder / "temp", read(folder / "type") or folder.name, f"{folder.name}/temp")


def _celsius(path: Path, name: str, method: str) -> Iterator[tuple[str, Quantity]]:
    value = read_int(path)
    low, high = PLAUSIBLE_C
    if value is not None and low < value * MILLI < high:
        yield f"temperature/{name}", _measured(value * MILLI, "°C", method)


def _rapl_zones(root: Path) -> Iterator[tuple[str, Path]]:
    folders = sorted((root / "sys/class/powercap").glob("*-rapl:*"))
    names = {folder.name: read(folder / "name") or folder.name for folder in folders}
    for folder in folders:
        parent = folder.name.rpartition(":")[0]
        name = names[folder.name]
        yield (f"{names[parent]}/{name}" if parent in names else name), folder


def _rapl(root: Path) -> Iterator[tuple[str, Quantity]]:
    counters = energy_counters(root)
    for name, folder in _rapl_zones(root):
        if name in counters:
            yield f"energy/{name}", _measured(counters[name].joules, "J", "RAPL energy_uj, a running counter")
        elif (folder / "energy_uj").exists():
            yield f"energy/{name}", Unavailable("energy_uj may be read by root only (chmod a+r, or a udev rule)")


def _nvidia(root: Path) -> Iterator[tuple[str, Quantity]]:
    if root != Path("/"):
        return
    known = _nvml()
    if known is None and (program := shutil.which("nvidia-smi")):
        known = parse_nvidia_smi(_ask(program))
    yield from (known or {}).items()


def _nvml() -> dict[str, Quantity] | None:
    """All GPUs by NVML; None without its Python module, or if it cannot be asked."""
    try:
        import pynvml
    except ImportError:
        return None
    quantities: dict[str, Quantity] = {}
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        for index in range(pynvml.nvmlDeviceGetCount()):
            gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
            model = pynvml.nvmlDeviceGetName(gpu)
            name = f"GPU {index} {model.decode() if isinstance(model, bytes) else model}"
            for key, unit, scale, call in (
                ("power", "W", MILLI, pynvml.nvmlDeviceGetPowerUsage),
                ("temperature", "°C", 1.0, lambda gpu: pynvml.nvmlDeviceGetTemperature(gpu, 0)),
            ):
                try:
                    quantities[f"{key}/{name}"] = _measured(call(gpu) * scale, unit, "NVML")
                except pynvml.NVMLError as error:
                    quantities[f"{key}/{name}"] = Unavailable(f"NVML: {error}")
    except pynvml.NVMLError:
        return quantities or None
    finally:
        pynvml.nvmlShutdown()
    return quantities


def _ask(program: str) -> str:
    words = [program, f"--query-gpu={_SMI_FIELDS}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SMI_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def parse_nvidia_smi(text: str) -> dict[str, Quantity]:
    """Power and temperature out of what ``nvidia-smi`` answers, a line for each GPU."""
    quantities: dict[str, Quantity] = {}
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != len(_SMI_FIELDS.split(",")) or not fields[0].isdecimal():
            continue
        index, model, watts, celsius = fields
        for key, unit, reading in (("power", "W", watts), ("temperature", "°C", celsius)):
            value = _number(reading)
            quantities[f"{key}/GPU {index} {model}"] = (
                _measured(value, unit, "nvidia-smi") if value is not None else Unavailable(f"nvidia-smi says {reading}")
            )
    return quantities


def _numbered(folder: Path, start: str, *ends: str) -> list[Path]:
    """The files ``start`` + number + one of ``ends``, by number, earlier ends first."""
    files = []
    for rank, end in enumerate(ends):
        for path in folder.glob(f"{start}*{end}"):
            number = path.name.removeprefix(start).removesuffix(end)
            if number.isdecimal():
                files.append((int(number), rank, path))
    return [path for *_, path in sorted(files)]


def _label(folder: Path, chip: str, stem: str) -> str:
    return read(folder / f"{stem}_label") or f"{chip} {stem}"


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _measured(value: float, unit: str, method: str) -> Measurement:
    return Measurement(value=value, unit=unit, kind="measured", method=method)
