"""What a soft prompt is: its configuration, parameters, vectors and files. Plain PyTorch."""
