"""Is a corpus fit to train on, and any corpus as a manifest."""
