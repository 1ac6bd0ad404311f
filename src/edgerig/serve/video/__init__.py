"""The way in called video: frames of a source go through the network, and what it sees is drawn over them."""
