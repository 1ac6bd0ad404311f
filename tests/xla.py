"""How XLA compiles the networks that tests train: for the least of the processor's time in all."""

_ON_ONE_CORE = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"

#: XLA compiles a network in a sixth of the time without optimization, fused loops, and parts compiled side by side;
#: its steps then take about as long, where networks are small and little is trained.
QUICK_TO_COMPILE = f"--xla_backend_optimization_level=0 {_ON_ONE_CORE}"

#: For whole trainings: steps about as quick as with all of XLA's optimization, which takes twice as long to compile.
QUICK_TO_TRAIN = f"--xla_backend_optimization_level=1 {_ON_ONE_CORE}"
