"""The model card of a prompt: Markdown with the metadata that the Hugging Face Hub reads."""

from __future__ import annotations

from typing import Any


def render_card(config: dict[str, Any], card: dict[str, Any]) -> str:
    """Returns the README.md of a prompt's folder.

    Args:
        config: fields of `PromptConfig`.
        card: fields of `PromptCard`.
    """
    languages = ", ".join(card["languages"]) or "unknown"
    tokens = ", ".join(card["language_tokens"])
    training = "".join(
        f"- {key.replace('_', ' ')}: {value}\n" for key, value in card["training"].items()
    )
    return (
        "---\n"
        f"base_model: {card['base']}\n"
        "library_name: spt-whisper\n"
        "pipeline_tag: automatic-speech-recognition\n"
        f"language: [{languages}]\n"
        "tags: [whisper, soft-prompt]\n"
        "---\n"
        f"# A soft prompt for {card['base']}: {languages}\n\n"
        f"Side {config['side']}, site {config['site']}, length {config['length']}; language token {tokens}; "
        f"window {card['window_seconds']:g} s. Whisper itself is unchanged.\n\n"
        "```python\n"
        "from spt_whisper import Prompt, Whisper\n"
        f'whisper = Whisper.from_pretrained("{card["base"]}")\n'
        'prompt = Prompt.from_pretrained("THIS FOLDER")\n'
        'print(whisper.transcribe("speech.wav", prompt=prompt).text)\n'
        "```\n\n"
        f"## Training\n{training}"
    )
