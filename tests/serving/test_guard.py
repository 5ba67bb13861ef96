"""What stands in front of the service, by itself: faults that nobody expected are told without their text, and counted."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.testclient import TestClient

from spt_whisper.serving.faults import handle_faults
from spt_whisper.serving.guard import Guard
from spt_whisper.serving.keys import Keys
from spt_whisper.serving.metrics import Metrics
from spt_whisper.serving.settings import Limits


def test_a_fault_of_ours_is_counted_and_keeps_its_text_to_itself() -> None:
    app, metrics = FastAPI(), Metrics()
    handle_faults(app)
    app.add_middleware(Guard, keys=Keys(()), limits=Limits(), metrics=metrics)

    @app.get("/v1/models")
    def fail() -> None:
        raise RuntimeError("secret")

    answer = TestClient(app, raise_server_exceptions=False).get("/v1/models")
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, "internal error")
    counted = {"path": "/v1/models", "status": "500"}
    assert metrics.registry.get_sample_value("spt_whisper_requests_total", counted) == 1
