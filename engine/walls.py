"""The second wall: what the application's role may touch, and which rows a principal may know of.

The counter, the worker and the command line act as `banjie_app`, which owns nothing. Every
transaction stands for a principal, kept in the setting `banjie.principal` of the transaction:
`person:ID`, `item:NUMBER` (a citizen who showed the code), or nothing, for which no row of any item
exists; or it is the engine's own (`sys`) and acts as `banjie_engine`, to whom the walls are open and
whose statements therefore cost what they would without them. The engine's own rule (`Desk.sees`, `engine.sight`) is the first
wall; the policies here repeat it in the database, so that one forgotten condition shows nobody what
is hidden. An act passes the wall where it locks its item and is the engine's from there on: what
follows for a family, a parent or a child is no matter of the actor's sight.

Setting and role can be changed by whoever can run SQL as the application: this is a wall against our own
mistakes and not against an injection (ADR-0023).
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import text as sql
from sqlalchemy.exc import DBAPIError

from engine.database import execute

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from engine.people import Actor

APP = "banjie_app"
ENGINE = "banjie_engine"
VERIFIER = "banjie_verifier"
SYS = "sys"

READ = "SELECT"
ADD = "SELECT, INSERT"
CHANGE = "SELECT, INSERT, UPDATE"
DROP = "SELECT, INSERT, UPDATE, DELETE"

RIGHTS: Mapping[str, str] = {
    "access_event": ADD,
    "api_token": CHANGE,
    "answer": DROP,
    "attachment": CHANGE,
    "bureau": "SELECT, UPDATE",
    "calendar_year": ADD,
    "checkpoint": ADD,
    "climb": ADD,
    "cluster_member": ADD,
    "deadline": CHANGE,
    "document": ADD,
    "edge": ADD,
    "endpoint": CHANGE,
    "event": ADD,
    "import_refusal": ADD,
    "import_run": CHANGE,
    "item": (
        "SELECT, INSERT, UPDATE (state, revision, seq, head, entered_at, settled, due_at, rung,"
        " closed_at, subject_unit_id)"
    ),
    "item_data": CHANGE,
    "item_declaration": ADD,
    "item_duty": "SELECT, INSERT, UPDATE (ended_at)",
    "leave": DROP,
    "log_head": "SELECT, UPDATE",
    "log_leaf": ADD,
    "log_node": ADD,
    "log_queue": "SELECT, INSERT, DELETE",
    "login": DROP,
    "membership": DROP,
    "message": CHANGE,
    "office_event": READ,
    "officer_conflict": CHANGE,
    "person": CHANGE,
    "petitioner_read": CHANGE,
    "portal_session": DROP,
    "portal_try": DROP,
    "recovery_code": DROP,
    "second_factor": DROP,
    "role_proposal": CHANGE,
    "spent_proof": DROP,
    "stray_file": DROP,
    "tally": ADD,
    "throttle": DROP,
    "unit": CHANGE,
    "unit_above": READ,
    "vault.data_key": "SELECT, INSERT, UPDATE (epoch, wrapped), DELETE",
    "vault.erasure": DROP,
    "vault.legal_hold": "SELECT, INSERT, UPDATE (lifted_seq)",
    "vault.payload": "SELECT, INSERT, DELETE",
    "vault.reveal": CHANGE,
    "vault.trace": "SELECT, INSERT, DELETE",
    "watch": "SELECT, INSERT, DELETE",
    "workflow_version": ADD,
}
"""What the application and the engine may do to a table; what is history they may only add to."""

OPEN: Mapping[str, str] = {
    "access_event": "what happened at the door, of people and never of items",
    "api_token": "digests of tokens",
    "bureau": "one row about the whole house",
    "calendar_year": "the State Council's list",
    "checkpoint": "signed for everybody to read",
    "edge": "the released workflows",
    "endpoint": "systems outside; only the worker reads their secrets",
    "import_refusal": "row numbers and reasons without values",
    "import_run": "how far a file has come",
    "leave": "the office",
    "log_head": "how many events there are",
    "log_leaf": "hashes of events: who knows one already may ask for its proof",
    "log_node": "hashes of hashes",
    "log_queue": "ids of events on their way into the log",
    "login": "digests of tokens",
    "membership": "the office",
    "office_event": "the record of the office; the tables write it themselves",
    "officer_conflict": "the office; each is shown their own declarations",
    "person": "the office",
    "petitioner_read": "how far somebody has read, not what",
    "portal_session": "digests of tokens",
    "portal_try": "keyed hashes of what was tried",
    "recovery_code": "keyed hashes of codes",
    "second_factor": "sealed secrets of devices",
    "role_proposal": "the office",
    "spent_proof": "digests of solved challenges",
    "stray_file": "random names of objects that belong to nothing",
    "tally": "days on which complaints were counted, not which",
    "throttle": "keyed hashes of what was tried",
    "unit": "the office",
    "unit_above": "the office",
    "watch": "the released workflows",
    "workflow_version": "the released workflows",
}
"""Tables without a policy, and why: no row of theirs tells of an item."""

_ITEM = """
number = (SELECT wall_number())
OR (SELECT wall_person()) IS NOT NULL
  AND (subject_unit_id IS NULL OR subject_unit_id <> ALL ((SELECT wall_above())::int[]))
  AND family_id <> ALL ((SELECT wall_barred())::bigint[])
  AND (EXISTS (SELECT FROM membership m JOIN unit_above a ON a.above_id = m.unit_id
      JOIN watch w ON w.role = m.role
      WHERE m.person_id = ANY ((SELECT wall_bearers())::int[]) AND a.unit_id = item.unit_id
        AND w.workflow = item.workflow AND w.version = item.version AND w.sealed = item.sealed)
    OR EXISTS (SELECT FROM item_duty d WHERE d.item_id = item.id AND d.ended_at IS NULL
        AND d.person_id = ANY ((SELECT wall_bearers())::int[]) AND d.role <> d.duty
        AND (d.assigned OR d.person_id = (SELECT wall_person())))
    OR EXISTS (SELECT FROM message t WHERE t.item_id = item.id AND t.status <> 'withdrawn'
        AND t.recipient_id = (SELECT wall_person())))
"""
"""The rule of `Desk.sees`, and whoever was told of an item. Written out in the policy, and not in a
function, so that the server looks up a row where one is asked for and hashes where it reads many.
"""
_OF_ITEM = "wall_knows_item(item_id)"
_OF_ANYBODY = f"(SELECT wall_person()) IS NOT NULL OR {_OF_ITEM}"
"""For rows without words that every list joins to their item, whose wall decides: walled twice, a
list costs a person who sees little twenty times as much.
"""
POLICIES: Mapping[str, str] = {
    "item": _ITEM,
    "attachment": _OF_ITEM,
    "item_data": _OF_ITEM,
    "item_declaration": _OF_ITEM,
    "vault.data_key": _OF_ITEM,
    "vault.erasure": _OF_ITEM,
    "vault.legal_hold": _OF_ITEM,
    "vault.payload": _OF_ITEM,
    "vault.reveal": _OF_ITEM,
    "vault.trace": _OF_ITEM,
    "event": _OF_ITEM,
    "deadline": _OF_ANYBODY,
    "climb": _OF_ANYBODY,
    "cluster_member": "wall_knows_item(item_id) AND wall_knows_item(member_id)",
    "document": _OF_ITEM,
    "message": _OF_ANYBODY,
    # own work is read by the thousand
    "item_duty": (
        "person_id = ANY ((SELECT wall_bearers())::int[]) AND duty IN ('work', 'approve', 'revisit')"
        " OR wall_knows_family(family_id)"
    ),
    "answer": "principal = (SELECT current_setting('banjie.principal', true))",
}
"""Which rows a principal other than `sys` may know of; the engine alone writes them."""

_FUNCTIONS = (
    # Names are written out in full: what the owner runs must not follow the caller's path.
    """
    CREATE OR REPLACE FUNCTION wall_person() RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
      SELECT CASE WHEN starts_with(current_setting('banjie.principal', true), 'person:')
        THEN substr(current_setting('banjie.principal', true), 8)::integer END
    $$
    """,
    """
    CREATE OR REPLACE FUNCTION wall_number() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
      SELECT CASE WHEN starts_with(current_setting('banjie.principal', true), 'item:')
        THEN substr(current_setting('banjie.principal', true), 6) END
    $$
    """,
    # The person, and on days of leave those whom they replace.
    """
    CREATE OR REPLACE FUNCTION wall_bearers() RETURNS integer[]
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
      SELECT ARRAY(SELECT public.wall_person() UNION ALL
        SELECT l.person_id FROM public.leave l CROSS JOIN public.bureau n
        WHERE l.substitute_id = public.wall_person() AND ((now() + n.practice_offset)
          AT TIME ZONE 'Asia/Shanghai')::date BETWEEN l.first_on AND l.last_on)
    $$
    """,
    # The units the person belongs to, by home or as handler or head, and those above; not the bureau.
    """
    CREATE OR REPLACE FUNCTION wall_above() RETURNS integer[]
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
      SELECT ARRAY(SELECT DISTINCT a.above_id FROM (
          SELECT p.unit_id FROM public.person p WHERE p.id = public.wall_person() UNION ALL
          SELECT m.unit_id FROM public.membership m WHERE m.person_id = public.wall_person()
            AND m.role IN ('handler', 'unit_head')) o
        JOIN public.unit_above a ON a.unit_id = o.unit_id JOIN public.unit u ON u.id = a.above_id
        WHERE u.parent_id IS NOT NULL)
    $$
    """,
    # As the owner: what bars somebody is no row that they may know of.
    """
    CREATE OR REPLACE FUNCTION wall_barred() RETURNS bigint[]
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER AS $$
      SELECT ARRAY(SELECT b.family_id FROM public.item_duty b
        WHERE b.person_id = public.wall_person() AND b.duty IN ('accused', 'recused')
          AND b.ended_at IS NULL)
    $$
    """,
    # As the asker: the policy of `item` answers.
    """
    CREATE OR REPLACE FUNCTION wall_knows_item(of_item bigint) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
    BEGIN
      RETURN EXISTS (SELECT FROM public.item i WHERE i.id = of_item);
    END $$
    """,
    """
    CREATE OR REPLACE FUNCTION wall_knows_family(of_family bigint) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
    BEGIN
      RETURN EXISTS (SELECT FROM public.item i WHERE i.family_id = of_family);
    END $$
    """,
)
TO_ENGINE = f"set_config('role', '{ENGINE}', true), set_config('banjie.principal', '{SYS}', true)"
"""In a list of columns: from this statement on the transaction is the engine's own."""


_STAND_FOR = "SELECT set_config('role', %s, true), set_config('banjie.principal', %s, true)"


def stand_for(session: Session, principal: str) -> None:
    """Bind the transaction to a principal, from now to its end."""
    if session.info.get("principal") != principal:
        role = ENGINE if principal == SYS else APP
        execute(session, _STAND_FOR, (role, principal))
        session.info["principal"] = principal


@contextmanager
def as_engine(session: Session) -> Iterator[None]:
    """For the block, see what the engine must see to judge: facts of kin that the asker may not know."""
    before = session.info.get("principal", "")
    stand_for(session, SYS)
    try:
        yield
    except (psycopg.Error, DBAPIError):
        # the transaction (or its savepoint) is undone, and with it what it stood for; one more
        # statement would only hide why
        session.info.pop("principal", None)
        raise
    except BaseException:
        stand_for(session, before)
        raise
    stand_for(session, before)


def create_roles(connection: Connection) -> None:
    """Make the roles where they are missing; they belong to the whole server."""
    for role in (APP, VERIFIER):
        connection.exec_driver_sql(
            f"DO $$ BEGIN CREATE ROLE {role} LOGIN;"
            " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    connection.exec_driver_sql(
        f"DO $$ BEGIN CREATE ROLE {ENGINE} NOLOGIN;"
        f" GRANT {ENGINE} TO {APP} WITH INHERIT FALSE, SET TRUE;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )


def raise_walls(connection: Connection) -> None:
    """Bring roles, rights and policies to what this file says; nothing is done where they are.

    As the owner of the tables, inside the transaction of a migration; a deployment gives the roles
    their passwords.
    """
    create_roles(connection)
    tables = {str(row[0]) for row in connection.execute(sql(_TABLES))}
    if not RIGHTS.keys() <= tables:
        return  # a migration taken back: these walls belong to another schema
    statements = list(_statements())
    digest = hashlib.sha256("\n".join(statements).encode()).hexdigest()
    if connection.execute(sql(_STANDING)).scalar() == digest:
        return
    for statement in statements:
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"COMMENT ON FUNCTION wall_person() IS '{digest}'")


_TABLES = """
SELECT CASE nspname WHEN 'public' THEN relname ELSE nspname || '.' || relname END
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'r' AND nspname IN ('public', 'vault')
"""
_STANDING = "SELECT obj_description(to_regprocedure('wall_person()'))"


def _statements() -> Iterator[str]:
    for role in (APP, ENGINE, VERIFIER):
        yield f"GRANT USAGE ON SCHEMA public TO {role}"
        yield f"GRANT USAGE ON SCHEMA vault TO {role}"
    yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    yield from _FUNCTIONS
    for table in sorted(RIGHTS):
        yield f"REVOKE ALL ON {table} FROM PUBLIC, {APP}, {ENGINE}, {VERIFIER}"
        yield f"GRANT {RIGHTS[table]} ON {table} TO {APP}, {ENGINE}"
        yield f"GRANT SELECT ON {table} TO {VERIFIER}"
    yield f"GRANT EXECUTE ON FUNCTION vault.erase_letters(bigint, bigint[]) TO {ENGINE}"
    yield f"GRANT USAGE ON SEQUENCE item_id_seq TO {APP}, {ENGINE}"
    for table in sorted(POLICIES):
        own = (
            table == "answer"
        )  # an answer is kept by whoever asked, all else is written by the engine
        seen = POLICIES[table]
        yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
        for name in ("known", "added", "locked", "dropped", "engine", "verified"):
            yield f"DROP POLICY IF EXISTS {name} ON {table}"
        yield f"CREATE POLICY known ON {table} FOR SELECT TO {APP} USING ({seen})"
        yield (
            f"CREATE POLICY locked ON {table} FOR UPDATE TO {APP}"
            f" USING ({seen}) WITH CHECK ({seen if own else 'false'})"
        )
        if own:
            yield f"CREATE POLICY added ON {table} FOR INSERT TO {APP} WITH CHECK ({seen})"
            yield f"CREATE POLICY dropped ON {table} FOR DELETE TO {APP} USING ({seen})"
        yield f"CREATE POLICY engine ON {table} TO {ENGINE} USING (true) WITH CHECK (true)"
        yield f"CREATE POLICY verified ON {table} FOR SELECT TO {VERIFIER} USING (true)"


def principal_of(actor: Actor, number: str = "") -> str:
    """What an actor stands for at an item; the public was let in to this one by number and code."""
    if actor.id is not None:
        return f"person:{actor.id}"
    return SYS if actor.kind == "sys" else f"item:{number}"
