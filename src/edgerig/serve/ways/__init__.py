"""Ways in: one file for each protocol in which a served network can be asked."""
