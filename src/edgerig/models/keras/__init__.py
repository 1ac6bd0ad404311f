"""The common parts of Keras models: training, checkpoints, files."""
