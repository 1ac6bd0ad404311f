"""Which variant a report recommends: `candidates` compares two of them, `rule` chooses, `words` says so."""
