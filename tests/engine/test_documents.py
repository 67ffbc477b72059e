"""How letters write dates."""

from __future__ import annotations

import pytest

from engine.documents import chinese


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", ""),
        ("2026-09-04", "2026年9月4日"),
        ("2026-09-24T09:05:00+08:00", "2026年9月24日9时05分"),
        (
            "2026-09-23T17:30:00+00:00",
            "2026年9月24日1时30分",
        ),  # told in UTC, written as it was here
    ],
)
def test_a_letter_writes_dates_as_official_letters_do(value: str, written: str) -> None:
    """GB/T 9704: year, month and day in figures without leading zeros, in the office's own zone."""
    assert chinese(value) == written
