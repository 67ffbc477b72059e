"""The office as the database itself keeps it: what no hand may write, and a record of every hand."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import TYPE_CHECKING

import psycopg
import pytest

from engine.administration.record import verify_office
from engine.administration.register import known_roles
from engine.administration.roles import excludes

if TYPE_CHECKING:
    from tests.casebook import Casebook

WHO = "(SELECT id FROM person WHERE account = '{}')"
UNIT = "(SELECT id FROM unit WHERE code = '{}')"
ROLE = "INSERT INTO membership VALUES (" + WHO + ", '{}', " + UNIT + ")"
LEAVE = (
    f"INSERT INTO leave (person_id, first_on, last_on, substitute_id) SELECT {WHO.format('{}')},"
    " current_date + {}, current_date + {}, id FROM person WHERE account = '{}'"
)
PROPOSAL = (
    "INSERT INTO role_proposal (person_id, role, unit_id, granted, proposed_by, proposed_at,"
    " decided_by, decided_at, confirmed) SELECT p.id, 'liaison', p.unit_id, true, {}, now(), {}"
    " FROM person p WHERE account = 'handler1'"
)
ADMIN, HEAD = WHO.format("admin"), WHO.format("head")
AS_ADMIN = (
    "SELECT set_config('banjie.office_actor', 'person:' || id, true) FROM person"
    " WHERE account = 'admin'; "
)

EDITS = {
    "a second bureau at the top": (
        "INSERT INTO unit (code, name) VALUES ('TOP', '另一局')",
        "unit_has_one_root",
    ),
    "a unit below itself": (
        f"UPDATE unit SET parent_id = {UNIT.format('AUD')} WHERE code = 'BUR'",
        "unit_tree_has_no_circle",
    ),
    "two units below one another": (
        (
            f"UPDATE unit SET parent_id = {UNIT.format('LAW')} WHERE code = 'AUD';"
            f" UPDATE unit SET parent_id = {UNIT.format('AUD')} WHERE code = 'LAW'"
        ),
        "unit_tree_has_no_circle",
    ),
    "a unit closed with people": (
        "UPDATE unit SET closed_on = current_date WHERE code = 'AUD'",
        "unit_closes_empty",
    ),
    "the bureau closed": (
        "UPDATE unit SET closed_on = current_date WHERE code = 'BUR'",
        "unit_closes_empty",
    ),
    "a unit removed": ("DELETE FROM unit WHERE code = 'AUD'", "office_is_never_removed"),
    "a person removed": ("DELETE FROM person WHERE account = 'head'", "office_is_never_removed"),
    "a second main head": (
        "UPDATE person SET post_kind = 'main_head' WHERE account = 'deputy'",
        "person_one_main_head",
    ),
    "a post of no kind": (
        "UPDATE person SET post_kind = 'king' WHERE account = 'deputy'",
        "person_post_is_known",
    ),
    "one certificate for two": (
        (
            "UPDATE person SET certificate = (SELECT certificate FROM person WHERE account = 'handler1')"
            " WHERE account = 'handler2'"
        ),
        "person_certificate_once",
    ),
    "an auditor who handles": (ROLE.format("auditor", "handler", "AUD"), "role_never_of_two_kinds"),
    "an administrator who reviews": (
        ROLE.format("admin", "law_reviewer", "BUR"),
        "role_never_of_two_kinds",
    ),
    "the discipline office as head": (
        ROLE.format("discipline", "head", "BUR"),
        "role_never_of_two_kinds",
    ),
    "a handler as liaison": (
        ROLE.format("handler1", "liaison", "BUR"),
        "role_never_checks_own_work",
    ),
    "a deputy who handles": (ROLE.format("deputy", "handler", "AUD"), "role_never_checks_own_work"),
    "a role for oneself": (
        AS_ADMIN + ROLE.format("admin", "admin", "AUD"),
        "role_never_from_ones_own_hand",
    ),
    "a liaison by one hand": (
        AS_ADMIN + ROLE.format("party_member", "liaison", "BUR"),
        "role_takes_two_people",
    ),
    "a liaison dismissed by one hand": (
        AS_ADMIN + "DELETE FROM membership WHERE role = 'liaison'",
        "role_takes_two_people",
    ),
    "a proposal decided by its proposer": (
        PROPOSAL.format(ADMIN, f"{ADMIN}, now(), true"),
        "role_proposal_takes_two_people",
    ),
    "a proposal for oneself": (
        PROPOSAL.format(WHO.format("handler1"), "NULL, NULL, NULL::bool"),
        "role_proposal_takes_two_people",
    ),
    "a proposal decided again": (
        PROPOSAL.format(ADMIN, f"{HEAD}, now(), false")
        + "; UPDATE role_proposal SET confirmed = true",
        "proposal_is_decided_once",
    ),
    "leave upon leave": (
        LEAVE.format("handler1", 1, 5, "handler2")
        + "; "
        + LEAVE.format("handler1", 5, 9, "handler2"),
        "leave_never_overlaps",
    ),
    "one's own substitute": (
        LEAVE.format("handler1", 1, 5, "handler1"),
        "leave_substitute_is_another",
    ),
    "an auditor for a handler": (
        LEAVE.format("handler1", 1, 5, "auditor"),
        "leave_substitute_is_lawful",
    ),
    "a handler for a deputy": (
        LEAVE.format("deputy", 1, 5, "handler1"),
        "leave_substitute_is_lawful",
    ),
    "a role that makes a substitute unlawful": (
        LEAVE.format("deputy", 1, 5, "party_member")
        + "; "
        + ROLE.format("party_member", "handler", "AUD"),
        "leave_substitute_is_lawful",
    ),
    "a conflict with nobody": (
        (
            "INSERT INTO officer_conflict (person_id, ground, declared_on, declared_by)"
            " SELECT id, 'other', current_date, id FROM person LIMIT 1"
        ),
        "officer_conflict_is_with_one",
    ),
    "a conflict rewritten": (
        (
            "INSERT INTO officer_conflict (person_id, outside, ground, declared_on, declared_by)"
            " SELECT id, 'trader', 'other', current_date, id FROM person LIMIT 1;"
            " UPDATE officer_conflict SET ground = 'interest', ended_on = current_date"
        ),
        "conflict_only_ends",
    ),
    "the record rewritten": (
        "UPDATE office_event SET entry = entry - 'by'",
        "journal_is_append_only",
    ),
    "the record shortened": ("DELETE FROM office_event WHERE seq > 3", "journal_is_append_only"),
}


def by_hand(book: Casebook, statements: str) -> None:
    """Statements of one transaction."""
    with psycopg.connect(book.url) as connection, connection.transaction():
        for part in statements.split("; "):
            connection.execute(part.encode())


@pytest.mark.parametrize("edit", EDITS)
def test_the_database_refuses(book: Casebook, edit: str) -> None:
    """An office that no lawful change leads to is refused by a constraint with a name."""
    statements, constraint = EDITS[edit]
    with pytest.raises(psycopg.Error) as caught:
        by_hand(book, statements)
    assert caught.value.diag.constraint_name == constraint


def test_engine_and_schema_exclude_the_same_roles(book: Casebook) -> None:
    """Every pair of roles: what `excludes` says is what the two exclusions say."""
    roles = sorted(known_roles(book.casework.catalog) | {"handler", "law_reviewer", "mediator"})
    rows = book.rows(
        "SELECT a, b, role_kind(a) <> role_kind(b) OR coalesce(role_side(a) <> role_side(b), false)"
        " AS apart FROM unnest(%s::text[]) a, unnest(%s::text[]) b",
        roles,
        roles,
    )
    assert {(r["a"], r["b"]) for r in rows if r["apart"]} == {
        (a, b) for a in roles for b in roles if excludes(a, b)
    }


@pytest.mark.committed
def test_two_at_once_never_close_a_circle_nor_overlap_leave(book: Casebook) -> None:
    """Of two changes that are lawful alone and unlawful together exactly one comes through."""
    pairs = [
        (
            f"UPDATE unit SET parent_id = {UNIT.format('LAW')} WHERE code = 'AUD'",
            f"UPDATE unit SET parent_id = {UNIT.format('AUD')} WHERE code = 'LAW'",
        ),
        (LEAVE.format("handler1", 1, 5, "handler2"), LEAVE.format("handler1", 3, 8, "law_handler")),
        (ROLE.format("unfit", "auditor", "BUR"), ROLE.format("unfit", "handler", "AUD")),
    ]
    book.run(
        "INSERT INTO person (account, name, unit_id) SELECT 'unfit', '某', id FROM unit LIMIT 1"
    )
    for at, pair in enumerate(pairs):
        for _ in range(5):
            done = _race(book, pair)
            assert done.count(True) == 1, at
            book.run(
                "UPDATE unit SET parent_id = (SELECT id FROM unit WHERE code = 'BUR') WHERE code IN ('AUD', 'LAW')"
            )
            book.run("DELETE FROM leave")
            book.run(
                "DELETE FROM membership m USING person p WHERE p.id = m.person_id AND account = 'unfit'"
            )


def _race(book: Casebook, statements: tuple[str, ...]) -> list[bool]:
    gate, done = Barrier(len(statements)), []

    def run(statement: str) -> None:
        with psycopg.connect(book.url) as connection:
            gate.wait()
            try:
                connection.execute(statement.encode())
                connection.commit()
                done.append(True)
            except psycopg.Error:
                done.append(False)

    threads = [Thread(target=run, args=(each,)) for each in statements]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


BEHIND = {
    "a role slipped in": ROLE.format("handler2", "unit_head", "AUD"),
    "a role taken away": "DELETE FROM membership WHERE role = 'auditor'",
    "somebody renamed": "UPDATE person SET name = '改' WHERE account = 'head'",
    "a certificate prolonged": "UPDATE person SET certified_until = '2099-01-01' WHERE account = 'handler1'",
    "a unit moved": f"UPDATE unit SET parent_id = {UNIT.format('LAW')} WHERE code = 'AUD'",
    "a leave of long ago": LEAVE.format("handler1", -9, -5, "handler2"),
    "an entry rewritten": (
        "UPDATE office_event SET entry = jsonb_set(entry, '{by}', '\"person:1\"') WHERE seq = 9"
    ),
    "an entry cut out": "DELETE FROM office_event WHERE seq = 9",
}


@pytest.mark.parametrize("edit", BEHIND)
def test_a_hand_that_puts_the_triggers_out_of_action_is_found(book: Casebook, edit: str) -> None:
    """Nothing is wrong with an honest office; whoever edits past the record is named by it."""
    book.run("UPDATE person SET post = '科长' WHERE account = 'handler1'")
    count, faults = book.do(verify_office)
    assert (count > 100, faults) == (True, [])
    with psycopg.connect(book.url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(BEHIND[edit].encode())
    _, faults = book.do(verify_office)
    assert faults


def test_no_secret_of_a_person_is_recorded(book: Casebook) -> None:
    """Passwords and keys are no part of the record, nor do they make an entry."""
    before = book.rows("SELECT count(*) AS n FROM office_event")[0]["n"]
    book.run("UPDATE person SET password_hash = 'geheim' WHERE account = 'head'")
    assert book.rows("SELECT count(*) AS n FROM office_event")[0]["n"] == before
    assert book.rows("SELECT FROM office_event WHERE entry::text LIKE '%password%'") == []
