"""Use prompts on audio."""
