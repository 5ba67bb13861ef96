"""Answers to what went wrong: they can always be sent."""

from __future__ import annotations

import json

from starlette.exceptions import HTTPException

from spt_whisper.serving.faults import fault_response


def test_a_name_with_half_a_character_can_be_answered() -> None:
    answer = fault_response(HTTPException(400, "\ud800: cannot be read"))
    assert json.loads(answer.body)["error"]["message"] == "\\ud800: cannot be read"
