"""Every place of the table has what the rest of the project looks up by its name."""

from __future__ import annotations

from dataclasses import fields

from spt_whisper.prompts.places import PLACES, SITES
from spt_whisper.prompts.vectors import SideVectors
from spt_whisper.training.learning_rates import site_rate


def test_every_place_has_a_field_and_every_site_a_place_and_a_rate() -> None:
    assert [field.name for field in fields(SideVectors)] == list(PLACES)
    for site in SITES:
        assert PLACES[site].site == site
        assert site_rate(site, 512) > 0


def test_numbers_and_zeros_are_parts() -> None:
    for place in PLACES.values():
        assert {*place.kind.numbers, *place.kind.at_zero} <= {*place.kind.parts()}
