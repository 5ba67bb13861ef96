"""Speech and text on disk, read into utterances."""
