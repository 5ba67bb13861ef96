"""Transcribe manifests of any size on one or many machines, with Ray Data."""
