"""Learn a prompt; the only place that knows Lightning."""
