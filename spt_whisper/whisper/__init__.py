"""The frozen model: weights, tokens, prompt injection, decoding."""
