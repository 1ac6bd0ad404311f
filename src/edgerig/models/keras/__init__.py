"""What every Keras model needs: training, checkpoints, files."""
