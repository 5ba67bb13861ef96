"""Synthetic Esperanto speech: `lexicon` -> `grammar` (sentences) -> `speech` (audio) -> `corpus` (folder)."""
