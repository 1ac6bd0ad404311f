"""gRPC is imported as a server imports it, before a test does."""

from edgerig.serve.ways.open_inference.grpc_library import import_grpc

import_grpc()
