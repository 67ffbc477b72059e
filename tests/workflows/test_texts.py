"""What the engine itself says has its words: a push without a text would die unseen."""

from __future__ import annotations

from engine import bars, casework, conversation, reminders, reveals, stalls
from workflows import catalog

SAID = {
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


def test_every_text_the_engine_sends_is_written() -> None:
    """The names by which the engine sends its texts are names of `texts.yaml`."""
    assert set(catalog().texts) >= SAID
