"""What the engine itself says has its words: a push without a text would die unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from engine import bars, casework, conversation, reminders, reveals, stalls
from engine.notation import Act
from tests.casebook import WORKSHOP
from workflows import HERE, catalog

if TYPE_CHECKING:
    from pathlib import Path

SAID = {
    *get_args(Act),  # a rung is worded by the name of its act
    bars.HOLDER_GONE,
    bars.RECUSAL_DECIDED,
    bars.RECUSAL_OUTCOME,
    casework.REASSIGNED,
    casework.SEALED_WORK,
    conversation.FROM_OFFICE,
    conversation.FROM_PETITIONER,
    conversation.FROM_PETITIONER_SEALED,
    reminders.SEALED_URGE,
    reminders.URGE,
    reveals.ASKED,
    reveals.DECIDED,
    stalls.SEALED_STALL,
}


@pytest.mark.parametrize("folder", [HERE, WORKSHOP])
def test_every_text_the_engine_sends_is_written(folder: Path) -> None:
    """Whatever office it serves: of a folder that words none of them, too."""
    assert set(catalog(folder).texts) >= SAID
