"""Training by epochs, whatever the framework: batches, checkpoints, logs, and the artifact at the end."""
