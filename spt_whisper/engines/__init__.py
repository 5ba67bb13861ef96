"""Who runs a forward pass: features and prompts in, hypotheses out."""
