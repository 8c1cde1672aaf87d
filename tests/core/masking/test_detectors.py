"""What each detector masks, and what that only looks like it stays: the vectors."""

from __future__ import annotations

import pytest

from bastion.masking import validators
from bastion.masking.detector import FAMILIES, detectors, families
from bastion.masking.pattern import MAX_BEFORE, MAX_MATCH
from bastion.masking.tree import longest
from tests.core.masking.planted import PLANTED, ROWS, Row, bytewise, everything, masked, plan_of


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.detector}-{row.text[:24]!r}")
def test_a_detector_masks_what_it_names_and_nothing_else(row: Row) -> None:
    assert masked(plan_of(row.detector), [row.text]) == row.shown


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.detector}-{row.text[:24]!r}")
def test_byte_for_byte_it_is_the_same(row: Row) -> None:
    assert masked(plan_of(row.detector), bytewise(row.text)) == row.shown


@pytest.mark.parametrize("row", PLANTED, ids=lambda row: f"{row.detector}-{row.text[:24]!r}")
def test_with_all_detectors_on_no_secret_is_shown(row: Row) -> None:
    if row.detector in ("ipv4", "ipv6", "mac"):
        assert masked(everything(), [row.text]) == row.text
    else:
        assert row.secret not in masked(everything(), [row.text])


def test_every_detector_has_both_kinds_of_vectors() -> None:
    assert {row.detector for row in PLANTED} == set(detectors())
    assert {row.detector for row in ROWS if not row.secret} == set(detectors())
    assert len(detectors()) >= 50


def test_every_secret_has_a_trigger_of_its_detector() -> None:
    for row in PLANTED:
        detector = detectors()[row.detector]
        if detector.triggers:
            assert any(trigger.lower() in row.text.lower() for trigger in detector.triggers), row


def test_matches_have_an_end_that_fits_what_may_be_held() -> None:
    for detector in detectors().values():
        assert detector.longest <= MAX_MATCH
        assert longest(detector.pattern.before) <= MAX_BEFORE


def test_addresses_of_machines_are_in_no_family() -> None:
    in_families = frozenset().union(*families().values())
    assert set(families()) == set(FAMILIES)
    assert set(detectors()) - in_families == {"ipv4", "ipv6", "mac"}


def test_every_validator_takes_any_bytes() -> None:
    for name, check in validators.BY_NAME.items():
        for text in (b"", b"\x00", b"\xff" * 40, b"-" * 300, b"1" * 300, b"a@b", b"{}", b"x" * 16, "é".encode() * 9):
            assert check(text) in (True, False), name
