from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from adapters import channels
from adapters.console import Console
from adapters.mail import Mail
from engine.settings import Settings
from tests.adapters.parcels import PLAIN

if TYPE_CHECKING:
    from pathlib import Path


def test_the_console_says_which_message_and_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    """Logs are read by many: id and number, never whom."""
    assert Console("mail").send(PLAIN) == "console"
    told = capsys.readouterr().err
    assert str(PLAIN.id) in told
    assert PLAIN.number in told
    assert PLAIN.address not in told
    assert PLAIN.title not in told


def test_the_console_stands_in_for_a_mail_server_that_is_not_configured(tmp_path: Path) -> None:
    """An office without a mail server works; one with a server uses it."""
    bare = channels(Settings(home=tmp_path, smtp_url=None))
    assert {name: type(channel).__name__ for name, channel in bare.items()} == {
        "mail": "Console",
        "console": "Console",
        "webhook": "Webhook",
    }
    served = channels(Settings(home=tmp_path, smtp_url=SecretStr("smtp://mail.example")))
    assert isinstance(served["mail"], Mail)


@pytest.mark.parametrize("url", ["mail.example:25", "http://mail.example", "smtp://", "smtp://:25"])
def test_a_mail_server_that_cannot_be_one_is_refused_at_the_start(url: str) -> None:
    """The sentence says how to write it and does not repeat what was written."""
    with pytest.raises(ValueError, match="BANJIE_SMTP_URL") as caught:
        Mail(url, "banjie@office.example")
    assert "mail.example" not in str(caught.value)
