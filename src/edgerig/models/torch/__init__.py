"""The common parts of PyTorch models: training, programs of torch.export, export to ONNX and TFLite."""
