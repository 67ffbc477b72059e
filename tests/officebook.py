"""Short ways to change an office in a test, as somebody or by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.administration.register import Register, open_register

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from tests.casebook import Casebook


def change(book: Casebook, by: str | None, deed: Callable[[Register], Any]) -> Any:
    """A verb of the administration as somebody (None: at the command line), in its own transaction."""
    actor = book.who(by) if by is not None else None

    def act(session: Session) -> Any:
        return deed(open_register(session, book.casework.catalog, actor))

    return book.do(act)


def holders(book: Casebook, number: str) -> set[str]:
    """Who is assigned to an item now."""
    rows = book.rows(
        "SELECT p.account FROM item_duty d JOIN person p ON p.id = d.person_id"
        " JOIN item i ON i.id = d.item_id WHERE i.number = %s AND d.assigned AND d.ended_at IS NULL",
        number,
    )
    return {row["account"] for row in rows}


def count_told(book: Casebook, number: str, account: str, text: str) -> int:
    """How many messages of this text somebody was sent about an item, none withdrawn."""
    row = book.rows(
        "SELECT count(*) AS n FROM message m JOIN item i ON i.id = m.item_id"
        " JOIN person p ON p.id = m.recipient_id WHERE i.number = %s AND p.account = %s"
        " AND m.text = %s AND m.status <> 'withdrawn'",
        number,
        account,
        text,
    )
    return int(row[0]["n"])
