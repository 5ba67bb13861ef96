"""Text: normalization, units and error rates."""
