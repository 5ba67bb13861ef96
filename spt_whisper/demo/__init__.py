"""A page in the browser: speech in, what bare Whisper writes and what a prompt makes of it, side by side."""
