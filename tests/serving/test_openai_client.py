"""OpenAI's own Python client against the service: models, formats, languages, and texts as without a service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error

from spt_whisper.prompts.files import Prompt
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.whisper.options import DecodingOptions
from tests.serving.running import KEY, Running, headers


@pytest.fixture(scope="module")
def whisper(home: Path) -> Whisper:
    return Whisper.from_pretrained(home / "model")


@pytest.fixture
def schema(service: Running) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json", headers=headers())


def test_models_are_prompts_the_bank_its_languages_and_whisper(service: Running) -> None:
    listed = {model.id for model in service.client().models.list()}
    assert listed >= {"whisper-1", "model", "kichwa", "ñandú", "andes", "quz", "ay"}
    assert service.client().models.retrieve("kichwa").id == "kichwa"


def test_a_text_is_that_of_the_prompt_without_a_service(service: Running, whisper: Whisper) -> None:
    prompt = Prompt.from_pretrained(service.folder / "prompts" / "kichwa")
    for name, own in (("kichwa", prompt), ("whisper-1", None), ("model", None)):
        with service.audio[0].open("rb") as file:
            found = service.client().audio.transcriptions.create(model=name, file=file)
        direct = whisper.transcribe(service.audio[0], prompt=own, voice_activity=None)
        assert found.text == direct.text


def test_every_format(service: Running, whisper: Whisper) -> None:
    create = service.client().audio.transcriptions.create
    with service.audio[1].open("rb") as file:
        plain, srt, vtt = (
            create(model="kichwa", file=file, response_format=name)  # type: ignore[call-overload]
            for name in ("text", "srt", "vtt")
        )
        verbose = create(
            model="kichwa", file=file, response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )  # fmt: skip
    assert isinstance(plain, str)
    assert srt.startswith("1\n00:00:0")
    assert vtt.startswith("WEBVTT\n")
    prompt = Prompt.from_pretrained(service.folder / "prompts" / "kichwa")
    options = DecodingOptions(timestamps=True, word_timestamps=True)
    direct = whisper.transcribe(service.audio[1], prompt=prompt, options=options, voice_activity=None)  # fmt: skip
    assert (verbose.text, verbose.duration, verbose.language) == (direct.text, direct.duration, "spanish")  # fmt: skip
    assert [own.text for own in verbose.segments] == [own.text for own in direct.segments]
    assert [own.start for own in verbose.segments] == [own.start for own in direct.segments]
    assert {own.avg_logprob for own in verbose.segments} != {0.0}
    said = [word.text.strip() for segment in direct.segments for word in segment.words]
    assert [word.word for word in verbose.words] == said


def test_a_bank_is_asked_by_language_or_chooses(service: Running) -> None:
    create = service.client().audio.transcriptions.create
    with service.audio[0].open("rb") as file:
        texts = {
            name: create(model=model, file=file, **asked).text
            for name, model, asked in (
                ("by language", "andes", {"language": "quz"}),
                ("by name", "quz", {}),
                ("routed", "andes", {}),
                ("bare", "whisper-1", {}),
                ("own language", "quz", {"language": "quz"}),
            )  # fmt: skip
        }
    assert texts["by language"] == texts["by name"] == texts["own language"] != texts["bare"]
    assert texts["routed"] == texts["bare"]  # its keys are far from every sound


def test_what_is_asked_for_changes_the_text(service: Running) -> None:
    plain = service.post(service.audio[2]).json()["text"]
    assert service.post(service.audio[2], temperature="0.7").json()["text"] != plain
    assert service.post(service.audio[2], prompt="Said before: ari, ñuka.").json()["text"] != plain
    assert service.post(service.audio[2], language="zh").status_code == 200


def test_requests_with_other_prompts_share_a_batch(service: Running) -> None:
    names = ["kichwa", "ñandú", "whisper-1", "quz", "ay", "kichwa", "ñandú", "ay"]
    alone = [service.post(service.audio[3], model=name).json()["text"] for name in names[:5]]
    before = service.metric('spt_whisper_batch_windows_bucket{le="1.0"}')
    total = service.metric("spt_whisper_batch_windows_count")
    with ThreadPoolExecutor(len(names)) as clients:
        answers = list(clients.map(lambda name: service.post(service.audio[3], model=name), names))
    assert [own.json()["text"] for own in answers[:5]] == alone
    decoded = service.metric("spt_whisper_batch_windows_count") - total
    lonely = service.metric('spt_whisper_batch_windows_bucket{le="1.0"}') - before
    assert decoded == len(names)
    assert lonely < len(names) / 2


def test_an_unknown_model_is_openais_error(service: Running) -> None:
    with (
        service.audio[0].open("rb") as file,
        pytest.raises(openai.NotFoundError, match="wanted one of whisper-1"),
    ):
        service.client().audio.transcriptions.create(model="no-such", file=file)


def test_without_its_key_only_health_is_told(service: Running) -> None:
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{service.url}/v1", api_key="another-key-of-length").models.list()
    for authorization in (None, f"Bearer {'ñ' * 20}", f"Basic {KEY}"):
        for path in ("/v1/models", "/metrics", "/openapi.json", "/no-such"):
            sent = {"Authorization": authorization} if authorization else {}
            answer = requests.get(service.url + path, headers=sent, timeout=300)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert requests.get(f"{service.url}/healthz", timeout=300).json() == {"status": "ok"}


def test_whatever_the_document_allows_the_service_does_not_fail(
    service: Running, schema: schemathesis.BaseSchema
) -> None:
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=10,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=headers(), checks=[not_a_server_error], timeout=300)

        check()
    assert service.post(service.audio[0]).status_code == 200
