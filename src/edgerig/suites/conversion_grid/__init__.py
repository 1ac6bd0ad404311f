"""What frameworks can tell each other in ONNX: every exporter's networks, in every importer, a process each.

`conversion.ONNXConversion` is a framework: it exports networks of its own, runs ONNX files, or both. `run.run_grid`
exports each network and runs it everywhere, `types.Grid` is the outcome, and `tables` and `page` show it.
"""
