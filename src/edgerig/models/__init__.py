"""Networks: architectures, training, files and their graphs."""
