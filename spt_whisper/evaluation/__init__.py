"""A corpus and a transcriber in, a report out. Also: corpora checked and prepared, prompts inspected, recipes compared, model cards."""
