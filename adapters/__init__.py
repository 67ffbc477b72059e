"""The outside: one file per party, each knows only its party."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.outbox import Channel
    from engine.settings import Settings


def channels(settings: Settings) -> dict[str, Channel]:
    """Every way out of the house by name; the console stands in for mail that is not configured.

    Raises ValueError for a mail server's URL that is none.
    """
    from adapters.console import Console
    from adapters.mail import Mail
    from adapters.webhook import Webhook

    listed = frozenset(settings.webhook_hosts.lower().replace(",", " ").split())
    found: list[Channel] = [Webhook(listed, settings.webhook_timeout), Console()]
    if settings.smtp_url is None:
        found.append(Console("mail"))
    else:
        url = settings.smtp_url.get_secret_value()
        found.append(Mail(url, settings.mail_from, settings.mail_timeout))
    return {channel.name: channel for channel in found}
