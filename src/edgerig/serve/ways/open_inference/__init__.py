"""The Open Inference Protocol (KServe v2): over HTTP with JSON and binary tensors, and over gRPC."""
