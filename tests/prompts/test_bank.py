"""A bank on disk: whole again after a round trip, older files untouched, and every damage refused by name."""

from __future__ import annotations

import hashlib
import json
import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import SHARED_FOLDER, SHARED_METHOD, Bank, check_replaceable, new_bank
from spt_whisper.prompts.card import LanguageKey, PromptCard
from spt_whisper.prompts.config import LanguageAwareConfig, PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.joining import join_prompts
from spt_whisper.prompts.language_aware import combine, start_part
from spt_whisper.prompts.language_part import PART_METHOD, LanguagePart, write_part
from spt_whisper.prompts.model_shape import ModelShape
from spt_whisper.prompts.prompt_or_bank import read_prompt_or_bank

SHAPE = ModelShape(8, 2, 2)
CONFIG = PromptConfig(site="feed_forward", length=3)
AWARE = LanguageAwareConfig()


def card(language: str, method: str = PART_METHOD, fingerprint: str = "f" * 64) -> PromptCard:
    key = LanguageKey((-0.5, -1.5), (0.25,) * 8)
    return PromptCard(
        "openai/whisper-tiny", fingerprint, SHAPE, (language,), ("tr",), (5.0,), method, key=key
    )


def prompt(language: str, method: str, seed: int = 0, fingerprint: str = "f" * 64) -> Prompt:
    generator = torch.Generator().manual_seed(seed)
    vectors = start_vectors(CONFIG, SHAPE, generator).map(
        lambda tensor: torch.randn(tensor.shape, generator=generator)
    )
    return Prompt(CONFIG, vectors, card(language, method, fingerprint))


def part(language: str, seed: int = 0, fingerprint: str = "f" * 64) -> LanguagePart:
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        name: torch.randn(tensor.shape, generator=generator)
        for name, tensor in start_part(CONFIG, AWARE, SHAPE, generator).items()
    }
    return LanguagePart(AWARE, tensors, card(language, fingerprint=fingerprint))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "turkic"
    prompt("ky", SHARED_METHOD).save_pretrained(root / SHARED_FOLDER)
    for seed, language in enumerate(("ky", "sah")):
        write_part(root / language, part(language, seed), root / SHARED_FOLDER, CONFIG)
    return root


def digests(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_a_bank_gives_whole_prompts_by_language(folder: Path) -> None:
    bank = Bank.from_pretrained(folder)
    assert bank.languages == ("ky", "sah")
    whole = bank.prompt("sah")
    assert bank.prompt(("sah",)) is whole
    assert bank.shared is not None
    assert bank.common_card is bank.shared.card
    expected = combine(bank.shared.vectors, part("sah", 1).tensors, AWARE).named_tensors()
    for name, tensor in whole.vectors.named_tensors().items():
        assert torch.equal(tensor, expected[name])
    assert whole.card == bank.parts["sah"].card == card("sah")
    with pytest.raises(InputError, match="no language 'cv'; wanted one of ky, sah"):
        bank.prompt("cv")


def test_each_folder_of_a_bank_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt("cv", "language_prompts").save_pretrained(folder / "cv")
    read: list[str] = []
    from_folder = Prompt.from_folder

    def counting(path: Path, name: str | None = None) -> Prompt:
        read.append(path.name)
        return from_folder(path, name)

    monkeypatch.setattr(Prompt, "from_folder", counting)
    bank = Bank.from_pretrained(folder)
    assert bank.languages == ("cv", "ky", "sah")
    assert sorted(read) == ["cv", "shared"]


def test_a_languages_prompt_can_be_taken_out_as_a_plain_one(folder: Path, tmp_path: Path) -> None:
    whole = Bank.from_pretrained(folder).prompt("ky")
    read = Prompt.from_pretrained(whole.save_pretrained(tmp_path / "ky"))
    for name, tensor in whole.vectors.named_tensors().items():
        assert torch.equal(tensor, read.vectors.named_tensors()[name])


def test_adding_writes_one_folder_and_leaves_every_older_file(folder: Path) -> None:
    before = digests(folder)
    bank = Bank.from_pretrained(folder)
    assert bank.add(part("cv", 3)) == folder / "cv"
    after = digests(folder)
    assert {name: after[name] for name in before} == before
    assert sorted(set(after) - set(before)) == [
        "cv/README.md",
        "cv/part.json",
        "cv/part.safetensors",
    ]
    readme = (folder / "cv" / "README.md").read_text(encoding="utf-8")
    assert (
        'prompt = Bank.from_pretrained("THE FOLDER ABOVE").prompt("cv")' in readme
    )  # a part alone is no prompt
    again = Bank.from_pretrained(folder)
    assert again.languages == ("cv", "ky", "sah")
    with pytest.raises(InputError, match="has cv already"):
        again.add(part("cv"))
    for name in ("../cv", "..", ".cv", "shared"):
        with pytest.raises(InputError, match="cannot name a folder"):
            again.add(part(name))


def test_a_language_whose_folder_has_another_name_is_there_already(folder: Path) -> None:
    (folder / "ky").rename(folder / "kyrgyz")
    bank = Bank.from_pretrained(folder)
    with pytest.raises(InputError, match=r"has ky already; remove \S+/kyrgyz to learn it again"):
        bank.add(part("ky"))
    with pytest.raises(InputError, match=r"has kyrgyz already; rename \S+/kyrgyz"):
        bank.add(part("kyrgyz"))


def test_whole_prompts_of_several_languages_stand_one_behind_the_other(tmp_path: Path) -> None:
    root = tmp_path / "mix"
    for seed, language in enumerate(("zh", "en")):
        prompt(language, "language_prompts", seed).save_pretrained(root / language)
    bank = Bank.from_pretrained(root)
    mixed = bank.prompt("zh+en")
    assert mixed.card.languages == ("zh", "en")
    keys = mixed.vectors.decoder.feed_forward.key  # type: ignore[union-attr]
    assert keys.shape == (1, 2, 6, 8)
    assert torch.equal(keys[:, :, 3:], bank.prompt("en").vectors.decoder.feed_forward.key)  # type: ignore[union-attr]
    members = [bank.prompt(language) for language in ("zh", "en")]
    trained = [
        Prompt(each.config, each.vectors, replace(each.card, training={"utterances": 5}))
        for each in members
    ]
    joined = join_prompts(trained, "both")
    assert joined.config.length == {"feed_forward": 6}
    assert joined.card.training == {}  # the first one's run is not that of both
    assert bank.prompt(["zh", "ru"]) is bank.prompt("zh")  # of a list the main one must be there
    assert bank.prompt(["zh", "ru", "en"]) is mixed
    for missing in ("zh+ru", ["ru", "zh"]):
        with pytest.raises(InputError, match="no language 'ru'"):
            bank.prompt(missing)


def drop_shared(root: Path) -> None:
    shutil.rmtree(root / SHARED_FOLDER)


def copy_language(root: Path) -> None:
    shutil.copytree(root / "ky", root / "kyrgyz")


def whole_beside_part(root: Path) -> None:
    prompt("ky", "prompt").save_pretrained(root / "kyrgyz")


def second_shared(root: Path) -> None:
    shutil.copytree(root / SHARED_FOLDER, root / "shared2")


def other_base(root: Path) -> None:
    other = part("cv", fingerprint="e" * 64)
    write_part(root / "cv", other, root / SHARED_FOLDER, CONFIG)


def other_prompt(root: Path) -> None:
    prompt("cv", "prompt", fingerprint="e" * 64).save_pretrained(root / "cv")


def other_shared(root: Path) -> None:
    prompt("ky", SHARED_METHOD, seed=7).save_pretrained(root / SHARED_FOLDER)


def truncated(root: Path) -> None:
    path = root / "sah" / "part.safetensors"
    path.write_bytes(path.read_bytes()[:-9])


def unknown_field(root: Path) -> None:
    path = root / "sah" / "part.json"
    settings = json.loads(path.read_text())
    settings["aware"]["depth"] = 2
    path.write_text(json.dumps(settings))


def edit(root: Path, file: str, change: Callable[[dict[str, Any]], object]) -> None:
    settings = json.loads((root / file).read_text())
    change(settings)
    (root / file).write_text(json.dumps(settings))


def no_shared_config(root: Path) -> None:
    edit(root, "shared/prompt.json", lambda settings: settings.pop("config"))


def unknown_operation(root: Path) -> None:
    edit(root, "sah/part.json", lambda settings: settings["aware"].update(combine="foo"))


def nameless(root: Path) -> None:
    edit(root, "sah/part.json", lambda settings: settings["card"].update(languages=[]))


def wrong_key(root: Path) -> None:
    edit(root, "sah/part.json", lambda settings: settings["card"].update(key=[1, 2]))


def one_pair_of_factors(root: Path) -> None:
    """As parts were before each layer had factors of its own."""
    tensors = {"left": torch.zeros(24, 4), "right": torch.ones(4, 8)}
    older = replace(part("sah", 1), tensors=tensors)
    write_part(root / "sah", older, root / SHARED_FOLDER, CONFIG)


def no_settings(root: Path) -> None:
    (root / "sah" / "part.json").unlink()


def swapped(root: Path) -> None:
    first, second = (root / language / "part.safetensors" for language in ("ky", "sah"))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def no_language(root: Path) -> None:
    for language in ("ky", "sah"):
        shutil.rmtree(root / language)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop_shared, "the shared part .*shared is missing"),
        (copy_language, "language ky appears twice, once in .*kyrgyz"),
        (whole_beside_part, "language ky appears twice, once in .*kyrgyz"),
        (second_shared, "two shared parts, shared and shared2"),
        (other_base, "cv is for openai/whisper-tiny .*eeeeeeeeeeee.* the others for"),
        (other_prompt, "cv is for openai/whisper-tiny .*eeeeeeeeeeee.* the others for"),
        (other_shared, r"ky/part\.json: belongs to another shared part"),
        (truncated, r"sah/part\.safetensors: is damaged"),
        (unknown_field, r"sah/part\.json: aware\.depth: found 2; Unexpected"),
        (no_language, "no language in it"),
        (no_shared_config, r"shared/prompt\.json: config: .*required"),
        (unknown_operation, r"part\.json: aware\.combine: found 'foo'"),
        (nameless, r"sah/part\.json: languages are \[\], wanted one"),
        (wrong_key, r"sah/part\.json: card\.key: found \[1, 2\]"),
        (
            one_pair_of_factors,
            r"sah/part\.safetensors: missing tensors .*, unknown .*'left', 'right'\]; .*train again",
        ),
        (no_settings, r"sah has neither part\.json nor prompt\.json"),
        (swapped, r"ky/part\.safetensors: holds other numbers than part\.json says"),
    ],
)
def test_a_corrupt_bank_is_refused_by_name(
    damage: Callable[[Path], None], message: str, folder: Path
) -> None:
    damage(folder)
    with pytest.raises(InputError, match=message):
        Bank.from_pretrained(folder)


def test_a_bank_is_not_replaced_by_one_that_lacks_a_language(folder: Path) -> None:
    before = digests(folder)
    with pytest.raises(InputError, match="has sah, which the new one would not have"):
        check_replaceable(folder, ["ky", "cv"])
    with pytest.raises(InputError, match="cannot name a folder"):
        check_replaceable(folder, ["ky", "sah", "zh/tw"])
    with pytest.raises(ZeroDivisionError), new_bank(folder, ["ky", "sah"]):
        raise ZeroDivisionError
    assert digests(folder) == before
    with new_bank(folder, ["ky", "sah", "cv"]) as made:
        shutil.copytree(folder / SHARED_FOLDER, made / SHARED_FOLDER)
        for language in ("ky", "sah", "cv"):
            write_part(made / language, part(language), made / SHARED_FOLDER, CONFIG)
    assert Bank.from_pretrained(folder).languages == ("cv", "ky", "sah")
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("place", ["notes.txt", ".git/HEAD", "ky/notes.txt", "shared/.git/HEAD"])
def test_a_bank_with_other_things_in_it_is_not_replaced(place: str, folder: Path) -> None:
    (folder / "README.md").write_text("a bank")
    check_replaceable(folder, ["ky", "sah"])
    own = folder / place
    own.parent.mkdir(exist_ok=True)
    own.write_text("mine")
    lost = place.split("/")[1 if not place.startswith(".") and "/" in place else 0]
    with pytest.raises(
        InputError, match=rf"holds {lost} beside the \w+, which would be lost; move"
    ):
        check_replaceable(folder, ["ky", "sah"])


def test_a_missing_bank_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        Bank.from_pretrained(tmp_path / "none")


def test_prompts_with_decoder_positions_do_not_join() -> None:
    config = replace(CONFIG, site="input")
    vectors = start_vectors(config, SHAPE, torch.Generator())
    member = Prompt(config, vectors, card("zh", "prompt"))
    with pytest.raises(InputError, match="cannot be put one after the other"):
        join_prompts([member, member], "mix")


@pytest.mark.parametrize(
    ("change", "card_change"),
    [
        ({"site": "feed_forward"}, {}), ({"side": "encoder"}, {}), ({"gate": True}, {}),
        ({"parameterization": "key_value"}, {}), ({}, {"text": {"lowercase": True}}),
    ],
)  # fmt: skip
def test_prompts_of_two_kinds_do_not_join(
    change: dict[str, object], card_change: dict[str, object]
) -> None:
    kind = PromptConfig(site="attention", length=3)

    def member(language: str, config: PromptConfig, **changed: object) -> Prompt:
        vectors = start_vectors(config, SHAPE, torch.Generator().manual_seed(0))
        return Prompt(config, vectors, replace(card(language, "prompt"), **changed), language)  # type: ignore[arg-type]

    other = member("en", replace(kind, **change), **card_change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="mix: en and zh have other sides, sites, gates"):
        join_prompts([member("zh", kind), other], "mix")


def test_the_card_of_a_joined_prompt_has_what_all_need_and_no_key_of_one() -> None:
    members = [
        Prompt(
            CONFIG,
            prompt(language, "prompt").vectors,
            replace(card(language, "prompt"), language_tokens=(token,), windows=(seconds,), signs=signs),
        )
        for language, token, seconds, signs in (("zh", "zh", 20.0, (7,)), ("en", "en", 5.0, (3, 7)))
    ]  # fmt: skip
    joined = join_prompts(members, "mix").card
    assert (joined.languages, joined.language_tokens) == (("zh", "en"), ("zh", "en"))
    assert (joined.windows, joined.signs) == ((5.0, 20.0), (3, 7))
    assert joined.key is None


def test_two_learned_tokens_of_one_name_do_not_join() -> None:
    config = PromptConfig(side="decoder", site=["feed_forward", "language"], length=3)
    vectors = start_vectors(config, SHAPE, torch.Generator().manual_seed(0))
    named = replace(card("zh", "prompt"), language_tokens=("es",))
    with pytest.raises(InputError, match="each learned a token of the same name"):
        join_prompts([Prompt(config, vectors, named)] * 2, "mix")


def test_a_bank_of_parts_may_have_whole_prompts_as_well(folder: Path) -> None:
    for seed, languages in enumerate((("es",), ("en",), ("ky", "es"))):
        own = prompt("es", "prompt", seed)
        replace(own, card=replace(own.card, languages=languages)).save_pretrained(
            folder / "+".join(languages)
        )
    bank = Bank.from_pretrained(folder)
    assert bank.languages == ("en", "es", "ky", "ky+es", "sah")
    both = bank.prompt("es+en").vectors.named_tensors()
    assert {tensor.shape[2] for tensor in both.values()} == {6}  # one after the other
    assert bank.prompt("ky+es").card.languages == ("ky", "es")
    assert bank.prompt(("ky", "zz")) is bank.prompt("ky")  # an utterance that names another, too
    assert bank.prompt("ky+sah") is bank.prompt("ky")
    with pytest.raises(InputError, match="no language 'zz'; wanted one of en, es"):
        bank.prompt("ky+zz")
    assert bank.prompt(("es", "sah")) is bank.prompt("es")  # of an utterance the main one's
    assert bank.prompt(["sah", "es"]) is bank.prompt("sah")
    for mix in ("sah+es", "es+sah"):
        with pytest.raises(
            InputError, match=r"es is a whole prompt, but not all of \w+\+\w+; name"
        ):
            bank.prompt(mix)


def test_languages_that_are_not_there_are_one_line(folder: Path) -> None:
    bank = Bank.from_pretrained(folder)
    with pytest.raises(InputError, match="no language 'xx'; wanted one of ky, sah"):
        bank.card("xx")
    with pytest.raises(InputError, match="no language named"):
        bank.prompt([])


def test_a_file_beside_a_banks_members_is_not_lost(folder: Path) -> None:
    (folder / "LICENSE").write_text("CC0")
    with (
        pytest.raises(InputError, match="holds LICENSE beside the bank, which would be lost"),
        new_bank(folder, ["ky", "sah"]),
    ):
        pass
    assert (folder / "LICENSE").is_file()


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Otomí") for form in ("NFC", "NFD"))


@pytest.mark.parametrize("written", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("kind", ["part", "whole"])
def test_a_language_is_found_however_its_accents_are_written(
    written: str, kind: str, folder: Path
) -> None:
    if kind == "part":
        write_part(folder / written, part(written), folder / SHARED_FOLDER, CONFIG)
    else:
        prompt(written, "prompt").save_pretrained(folder / written)
    bank = Bank.from_pretrained(folder)
    assert COMPOSED in bank.languages
    assert DECOMPOSED not in bank.languages
    whole = bank.prompt(COMPOSED)
    assert bank.prompt(DECOMPOSED) is whole
    assert bank.prompt([DECOMPOSED, "zz"]) is whole
    assert bank.card(DECOMPOSED) is bank.card(COMPOSED)
    for asked in (COMPOSED, DECOMPOSED):
        with pytest.raises(InputError, match="already; remove"):
            bank.folder_for(asked)
    check_replaceable(folder, ["ky", "sah", DECOMPOSED])


def test_a_language_written_both_ways_is_there_twice(folder: Path) -> None:
    for written in (COMPOSED, DECOMPOSED):
        prompt(written, "prompt").save_pretrained(folder / written)
    with pytest.raises(InputError, match="appears twice"):
        Bank.from_pretrained(folder)


@pytest.mark.parametrize("name", ["auto", "Auto", "null", "~"])
def test_a_language_is_not_called_as_something_else_is_asked_for(name: str, folder: Path) -> None:
    with pytest.raises(InputError, match="means something else as --language"):
        Bank.from_pretrained(folder).folder_for(name)
    with pytest.raises(InputError, match="means something else as --language"):
        check_replaceable(folder.parent / "new", [name])


@pytest.mark.parametrize("name", ["", "Shared", "SHARED"])
def test_a_language_is_not_called_as_the_shared_folder_or_nothing(name: str, folder: Path) -> None:
    with pytest.raises(InputError, match="cannot name a folder|means something else"):
        Bank.from_pretrained(folder).folder_for(name)


def test_two_languages_that_would_share_a_folder_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="ky and KY are one name where a disk ignores case"):
        Bank.from_pretrained(folder).folder_for("KY")
    for pair in (["cv", "CV"], [COMPOSED, DECOMPOSED.upper()]):
        with pytest.raises(InputError, match="are one name where a disk ignores case"):
            check_replaceable(folder.parent / "new", pair)


def test_a_part_of_a_bank_taken_for_a_prompt_or_a_bank_says_what_to_name(folder: Path) -> None:
    (folder / "ky").rename(folder / "kyrgyz")
    own = folder / "kyrgyz"
    with pytest.raises(
        InputError, match=f"a part of bank {folder}; .* --bank {folder} --language ky"
    ):
        Prompt.from_pretrained(own)
    for read in (read_prompt_or_bank, Bank.from_pretrained):  # as `prompt show` and --bank do
        with pytest.raises(InputError, match=f"wanted bank {folder} --language ky"):
            read(str(own))
    (own / "part.json").write_text("[]")
    with pytest.raises(InputError, match=f"--bank {folder} --language kyrgyz"):
        Prompt.from_pretrained(own)


def test_the_output_of_a_run_says_what_is_in_it(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"it is a bank; wanted --bank {folder} --language NAME"):
        Prompt.from_pretrained(folder)
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    folder.rename(run / "bank")
    with pytest.raises(InputError, match=f"no prompt.json in it; wanted --bank {run}/bank$"):
        Prompt.from_pretrained(run)
    for read in (read_prompt_or_bank, Bank.from_pretrained):
        with pytest.raises(InputError, match=f"wanted bank {run}/bank$"):
            read(str(run))
    shutil.rmtree(run / "bank")
    prompt("ky", "prompt").save_pretrained(run / "prompt")
    with pytest.raises(InputError, match=f"wanted --prompt {run}/prompt$"):
        Prompt.from_pretrained(run)
    with pytest.raises(InputError, match=f"wanted prompt {run}/prompt$"):
        Bank.from_pretrained(run)
    with pytest.raises(InputError, match=f"it is a prompt; wanted prompt {run}/prompt$"):
        Bank.from_pretrained(run / "prompt")
    (run / "model").mkdir()
    (run / "model" / "spt_whisper.json").write_text("{}")
    shutil.rmtree(run / "prompt")
    with pytest.raises(InputError, match=f"wanted --model {run}/model$"):
        Prompt.from_pretrained(run)
