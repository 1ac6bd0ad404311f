"""What networks are for: how raw outputs become predictions, how these are judged, compared and shown."""
