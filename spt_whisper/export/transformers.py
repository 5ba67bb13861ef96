"""The format transformers: a checkpoint for plain `WhisperForConditionalGeneration`, with tokenizer and feature extractor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import WhisperFeatureExtractor

from spt_whisper.errors import InputError
from spt_whisper.export.folding import fold_rows, fold_slots, with_prompt_tokens
from spt_whisper.export.settings import ExportConfig
from spt_whisper.export.source import ExportSource
from spt_whisper.whisper.adapted import CARD_FILE, write_card
from spt_whisper.whisper.fingerprint import fingerprint_weights


def write_checkpoint(source: ExportSource, config: ExportConfig, folder: Path) -> None:
    """Writes config, weights, generation config, tokenizer, feature extractor and card into a folder.

    Raises:
        InputError: `language_tokens` are not as many as the prompt has, or no codes of Whisper.
    """
    whisper, vectors = source.whisper, source.vectors
    codes = asked_codes(source, config)
    ids = [whisper.tokens.language(code) for code in codes]
    model: Any = fold_rows(fold_slots(whisper.model, vectors), vectors, ids)
    languages = whisper.tokens.languages
    generation = model.generation_config
    taught = source.card.signs if source.card else ()
    never = [token for token in generation.suppress_tokens or [] if token not in taught]
    generation.suppress_tokens = never or None
    generation.lang_to_id = {f"<|{code}|>": languages[code] for code in languages}
    model.to(getattr(torch, config.precision)).save_pretrained(folder)
    tokenizer = with_prompt_tokens(
        whisper.tokens.tokenizer, whisper.config.vocab_size, source.decoder_positions
    )
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=whisper.config.num_mel_bins).save_pretrained(folder)
    if source.card is not None:
        fingerprint = fingerprint_weights(model)
        own = source.card
        asked = {k: codes if v == own.language_tokens else v for k, v in own.codes.items()}
        card = replace(own, fingerprint=fingerprint, language_tokens=codes, codes=asked)
        write_card(folder / CARD_FILE, card)


def asked_codes(source: ExportSource, config: ExportConfig) -> tuple[str, ...]:
    """Returns the codes of the language tokens with which the exported model is asked.

    Raises:
        InputError: codes are given where the prompt has no soft language token, or not as many as it has.
    """
    soft = source.vectors.decoder.language
    own = source.card.language_tokens if source.card else ()
    if config.language_tokens is None:
        return own
    wanted = soft.vector.shape[2] if soft is not None else 0
    if len(config.language_tokens) != wanted:
        raise InputError(
            f"language_tokens: found {len(config.language_tokens)}, wanted {wanted}, as many as {source.name} has "
            "soft language tokens"
        )
    return tuple(config.language_tokens)


def usage(source: ExportSource, config: ExportConfig) -> str:
    """Returns Python that runs the exported model."""
    codes = asked_codes(source, config)
    lines, how = _asked(source.decoder_positions, codes)
    return (
        "import soundfile\nimport torch\n"
        "from transformers import WhisperForConditionalGeneration, WhisperProcessor\n\n"
        'processor = WhisperProcessor.from_pretrained("THIS FOLDER")\n'
        'model = WhisperForConditionalGeneration.from_pretrained("THIS FOLDER", dtype=torch.float32)\n'
        'waveform, rate = soundfile.read("speech.wav", dtype="float32")  # 16 kHz, mono, at most 30 s: the rest is cut off\n'
        'audio = processor(waveform, sampling_rate=rate, return_tensors="pt")\n'
        f"{lines}"
        f"tokens = model.generate(audio.input_features, {how})\n"
        "print(processor.batch_decode(tokens, skip_special_tokens=True)[0])\n"
    )


def _asked(count: int, codes: Sequence[str]) -> tuple[str, str]:
    """Lines that make a decoder's first tokens with `count` of a prompt, and what `generate` takes of them."""
    prompt = f'"<|startofprev|>", *(f"<|prompt{{n}}|>" for n in range({count}))' if count else ""
    to_ids = "processor.tokenizer.convert_tokens_to_ids"
    if len(codes) > 1:  # `language` is one token, so all of them are given
        names = ["startoftranscript", *codes, "transcribe", "notimestamps"]
        start = ", ".join([*([prompt] if count else []), *(f'"<|{name}|>"' for name in names)])
        return (
            f"start = {to_ids}([{start}])\n",
            "decoder_input_ids=torch.tensor([start])",
        )
    how = ['task="transcribe"', *(f'language="{code}"' for code in codes)]
    if not count:
        return "", ", ".join(how)
    return f"prompt = {to_ids}([{prompt}])\n", ", ".join([*how, "prompt_ids=torch.tensor(prompt)"])
