"""From a TFLite file to the typed intermediate representation."""
