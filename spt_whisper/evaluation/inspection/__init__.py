"""What a prompt or a bank holds: sizes, nearest words, similarity of languages."""
