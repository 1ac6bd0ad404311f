"""Stores frames that are worth a label, with what the network said of them."""
