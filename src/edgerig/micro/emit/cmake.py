"""CMakeLists.txt: the generated folder as a library that a project adds with ``add_subdirectory``."""

from __future__ import annotations

from collections.abc import Collection

NAME = "CMakeLists.txt"

_TEXT = """\
# {name}: a network as a static library. In the project that uses it:
#
#     add_subdirectory({name})
#     target_link_libraries(app PRIVATE {name})
#
# For which processor, the project's toolchain file says (-mcpu and the like); {cpu}.
cmake_minimum_required(VERSION 3.16)
project({name} LANGUAGES {languages})

add_library({name} STATIC
{sources})
target_include_directories({name} PUBLIC "${{CMAKE_CURRENT_SOURCE_DIR}}")
target_compile_features({name} PUBLIC c_std_99)
# Without optimization the kernels take many times as long, whatever the project itself is built for.
target_compile_options({name} PRIVATE -O2)
{vectors}"""
#: C for vectors is as fast as it can be only where the compiler knows which vectors the processor has.
_VECTORS = """
# The vectors that the kernels use are those of this processor, as -march on x86-64 and -mcpu on aarch64 call it:
# native is this machine's; nothing leaves it to the compiler's flags.
if(CMAKE_CROSSCOMPILING)
  set({name}_processor "" CACHE STRING "The processor whose vectors {name} uses")
else()
  set({name}_processor native CACHE STRING "The processor whose vectors {name} uses")
endif()
if({name}_processor)
  include(CheckCCompilerFlag)
  set({name}_flag "-march=${{{name}_processor}}")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
    set({name}_flag "-mcpu=${{{name}_processor}}")
  endif()
  check_c_compiler_flag("${{{name}_flag}}" {name}_knows_processor)
  if({name}_knows_processor)
    target_compile_options({name} PRIVATE "${{{name}_flag}}")
  endif()
endif()
"""


def cmake_lists(name: str, cpu: str, paths: Collection[str]) -> bytes:
    """The file for the sources among ``paths``."""
    sources = sorted(path for path in paths if path.endswith((".c", ".S")))
    languages = "C ASM" if any(path.endswith(".S") for path in sources) else "C"
    return _TEXT.format(
        name=name,
        cpu="these kernels run on any" if cpu == "portable" else f"these kernels are for {cpu}",
        languages=languages,
        sources="\n".join(f"  {path}" for path in sources),
        vectors=_VECTORS.format(name=name) if cpu == "simd" else "",
    ).encode()
