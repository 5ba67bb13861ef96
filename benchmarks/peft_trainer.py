"""LoRA on Whisper as the documentation of transformers and peft has it: features by `datasets.map`, then `Seq2SeqTrainer`.

    python benchmarks/peft_trainer.py --corpus DIR --output DIR [--window 30]

What `benchmarks/training.py` compares with; it leaves `OUTPUT/model`, which `spt-whisper evaluate --model` scores. The audio
decoder and the weights are ours, so that neither counts. A shorter window cuts the encoder's positions, which transformers
has no setting for.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    WhisperFeatureExtractor,
    WhisperTokenizer,
)

from spt_whisper.audio import SAMPLE_RATE, STATES_PER_SECOND, load_audio
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.prompts.card import PromptCard
from spt_whisper.training.methods.adapted_model import LORA_TARGETS
from spt_whisper.whisper.adapted import CARD_FILE, write_card
from spt_whisper.whisper.loading import FrozenWhisper


def collate(rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Returns input_features (B, mels, frames) and labels (B, T), -100 where nothing is learned.

    The model sets the first token in front of the labels itself.
    """
    labels = [torch.tensor(row["labels"][1:]) for row in rows]
    return {
        "input_features": torch.tensor([row["input_features"] for row in rows]),
        "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
    }


def features_and_labels(
    corpus: CorpusConfig, tokenizer: WhisperTokenizer, mels: int, window: float, cache: Path
) -> Dataset:
    """Returns the training part with log-mel of every utterance, kept on disk as `datasets` does."""
    extractor = WhisperFeatureExtractor(feature_size=mels)
    rows = [
        {"audio": str(u.audio), "start": u.start, "end": u.end, "text": u.text}
        for u in read_split(corpus, "train")
    ]

    def prepare(row: dict[str, Any]) -> dict[str, Any]:
        waveform = load_audio(row["audio"], row["start"], row["end"]).numpy()
        samples = round(window * SAMPLE_RATE)
        features = extractor(waveform, sampling_rate=SAMPLE_RATE, max_length=samples)
        return {
            "input_features": features.input_features[0],
            "labels": tokenizer(row["text"]).input_ids,
        }

    cache.mkdir(parents=True)
    made = Dataset.from_list(rows)
    return made.map(
        prepare, remove_columns=made.column_names, cache_file_name=str(cache / "train.arrow")
    )


def cut_window(model: Any, window: float) -> None:
    """Cuts the encoder's positions to a window in seconds."""
    encoder, states = model.model.encoder, round(window * STATES_PER_SECOND)
    weight = encoder.embed_positions.weight[:states].clone()
    encoder.embed_positions = torch.nn.Embedding.from_pretrained(weight, freeze=True)
    encoder.max_source_positions = encoder.config.max_source_positions = states


def train(settings: argparse.Namespace) -> None:
    """Trains and writes the adapter with a card."""
    whisper = FrozenWhisper.from_pretrained(settings.model)
    fingerprint, shape = whisper.fingerprint, whisper.shape
    tokenizer, output = whisper.tokens.tokenizer, settings.output
    tokenizer.set_prefix_tokens(language=settings.language, task="transcribe")
    corpus = CorpusConfig(settings.corpus, max_seconds=settings.max_seconds, limit=settings.limit)
    mels = whisper.config.num_mel_bins
    data = features_and_labels(corpus, tokenizer, mels, settings.window, output / "cache")
    cut_window(whisper.model, settings.window)
    adapter = LoraConfig(
        r=8, lora_alpha=16, lora_dropout=0.05, bias="none", target_modules=LORA_TARGETS["attention"],
        base_model_name_or_path=whisper.source,
    )  # fmt: skip
    model = get_peft_model(whisper.model, adapter)
    arguments = Seq2SeqTrainingArguments(
        output_dir=str(output / "checkpoints"), per_device_train_batch_size=settings.batch_size,
        max_steps=settings.updates, learning_rate=3e-3, warmup_steps=settings.updates // 10,
        bf16=settings.dtype == "bfloat16", use_cpu=settings.device == "cpu", seed=settings.seed,
        remove_unused_columns=False, label_names=["labels"], report_to=[],
    )  # fmt: skip
    Seq2SeqTrainer(model=model, args=arguments, train_dataset=data, data_collator=collate).train()
    model.save_pretrained(output / "model")
    token = (settings.language,)
    card = PromptCard(whisper.name, fingerprint, shape, ("",), token, (settings.window,), "lora")
    write_card(output / "model" / CARD_FILE, card)


def main() -> None:
    """Reads the flags and trains."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", required=True, help="folder with train.jsonl")
    parser.add_argument("--output", type=Path, required=True, help="folder for what it makes")
    parser.add_argument("--model", default="base", help="Whisper (%(default)s)")
    parser.add_argument("--language", default="es", help="Whisper's token (%(default)s)")
    parser.add_argument("--window", type=float, default=30.0, help="seconds (%(default)s)")
    parser.add_argument("--max-seconds", type=float, help="longest utterance")
    parser.add_argument("--limit", type=int, help="utterances; by default all")
    parser.add_argument("--batch-size", type=int, default=8, help="(%(default)s)")
    parser.add_argument("--updates", type=int, default=96, help="(%(default)s)")
    parser.add_argument("--dtype", default="float32", help="float32 or bfloat16 (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
