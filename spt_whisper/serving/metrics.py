"""What Prometheus is told about a service."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_WINDOWS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one front; names are `spt_whisper_*`."""

    def __init__(self) -> None:
        """Starts at nothing."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "spt_whisper_requests", "Answers, by path and status", ["path", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "spt_whisper_transcription_seconds", "From request to answer",
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.in_hand = Gauge(
            "spt_whisper_transcriptions_in_hand", "Waiting and running", registry=self.registry
        )
        self.audio_seconds = Counter(
            "spt_whisper_audio_seconds", "Audio transcribed", registry=self.registry
        )
        self.batch_windows = Histogram(
            "spt_whisper_batch_windows", "For each window, how many were decoded with it, itself too",
            buckets=_WINDOWS, registry=self.registry,
        )  # fmt: skip
        self.models = Gauge("spt_whisper_models", "Models offered", registry=self.registry)
