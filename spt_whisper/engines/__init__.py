"""What runs a forward pass: waveforms and prompts in, hypotheses out; an engine makes its own log-mel."""
