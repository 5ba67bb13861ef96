"""Write our weights as a checkpoint of openai-whisper, as its `load_model` takes it.

`model.decoder.layers.0.fc1.weight` of transformers is openai-whisper's `decoder.blocks.0.mlp.0.weight`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import WhisperConfig

from spt_whisper.whisper.loading import FrozenWhisper

# In this order: `layer_norm` is also the end of the names above it.
NAMES = {
    "model.": "",
    "layers.": "blocks.",
    "self_attn_layer_norm": "attn_ln",
    "encoder_attn_layer_norm": "cross_attn_ln",
    "final_layer_norm": "mlp_ln",
    "encoder.layer_norm": "encoder.ln_post",
    "decoder.layer_norm": "decoder.ln",
    "self_attn": "attn",
    "encoder_attn": "cross_attn",
    "q_proj": "query",
    "k_proj": "key",
    "v_proj": "value",
    "out_proj": "out",
    "fc1": "mlp.0",
    "fc2": "mlp.2",
    "embed_tokens": "token_embedding",
    "embed_positions.weight": "positional_embedding",
}
TIED = "proj_out.weight"  # the token embedding, under another name


def write_openai_checkpoint(whisper: FrozenWhisper, path: Path) -> Path:
    """Writes sizes and weights (float32); returns the path."""
    weights = whisper.model.state_dict()
    renamed = {openai_name(name): tensor for name, tensor in weights.items() if name != TIED}
    torch.save({"dims": sizes(whisper.config), "model_state_dict": renamed}, path)
    return path


def openai_name(name: str) -> str:
    """Returns openai-whisper's name of a tensor of transformers."""
    for theirs, openai in NAMES.items():
        name = name.replace(theirs, openai)
    return name


def sizes(config: WhisperConfig) -> dict[str, int]:
    """Returns the fields of openai-whisper's `ModelDimensions`."""
    return {
        "n_mels": config.num_mel_bins,
        "n_audio_ctx": config.max_source_positions,
        "n_audio_state": config.d_model,
        "n_audio_head": config.encoder_attention_heads,
        "n_audio_layer": config.encoder_layers,
        "n_vocab": config.vocab_size,
        "n_text_ctx": config.max_target_positions,
        "n_text_state": config.d_model,
        "n_text_head": config.decoder_attention_heads,
        "n_text_layer": config.decoder_layers,
    }
