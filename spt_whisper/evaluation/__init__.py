"""A corpus and a transcriber in, a report out."""
