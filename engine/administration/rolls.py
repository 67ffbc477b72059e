"""The rolls (名册): the whole office as one table, to be brought in and taken out.

A row is a unit or a person (`kind`). A second run of the same file changes nothing; what is not in
a file stays as it is: a file adds and changes, it never removes. All or nothing: every finding is
told with its row, and one finding stops everything. No cell is ever a formula: one that would begin
like one goes out behind an apostrophe and is refused on the way in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.administration import people, roles, units
from engine.administration.words import FORMULA, faults
from engine.database import execute
from engine.errors import BanjieError, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy.orm import Session

    from engine.administration.register import Register
    from engine.importing import Row

COLUMNS = (
    *("kind", "code", "name", "under", "aliases", "account", "unit", "post", "post_kind", "email"),
    *("certificate", "certified_until", "roles"),
)
OWN = {
    "unit": ("code", "name", "under", "aliases"),
    "person": (
        *("account", "name", "unit", "post", "post_kind", "email", "certificate"),
        *("certified_until", "roles"),
    ),
}
"""The columns a row of each kind fills; several words of one cell are parted by `;`."""
MOST_ROWS = 10_000

EXPORT = """
SELECT 'unit' AS kind, u.code, u.name, a.code AS under, array_to_string(u.aliases, ';') AS aliases,
  NULL AS account, NULL AS unit, NULL AS post, NULL AS post_kind, NULL AS email, NULL AS certificate,
  NULL AS certified_until, NULL AS roles,
  (WITH RECURSIVE up AS (SELECT u.id, u.parent_id, 0 AS depth
     UNION ALL SELECT x.id, x.parent_id, depth + 1 FROM unit x JOIN up ON x.id = up.parent_id)
   SELECT max(depth) FROM up) AS depth
FROM unit u LEFT JOIN unit a ON a.id = u.parent_id WHERE u.closed_on IS NULL
UNION ALL
SELECT 'person', NULL, p.name, NULL, NULL, p.account, u.code, p.post, p.post_kind, p.email,
  p.certificate, p.certified_until::text,
  (SELECT string_agg(m.role || '@' || s.code, ';' ORDER BY m.role, s.code)
   FROM membership m JOIN unit s ON s.id = m.unit_id
   WHERE m.person_id = p.id AND s.closed_on IS NULL), NULL
FROM person p JOIN unit u ON u.id = p.unit_id WHERE p.left_on IS NULL
ORDER BY depth NULLS LAST, code, account
"""


class Fault(NamedTuple):
    """What is wrong with a row: its number, the column, a sentence."""

    row: int
    column: str
    sentence: str


@dataclass
class Intake:
    """What a file brought: how many units and people are new or changed, roles granted, proposed."""

    read: int = 0
    units: int = 0
    people: int = 0
    roles: int = 0
    proposed: int = 0
    findings: list[Fault] = field(default_factory=list)


def take_in(register: Register, rows: Iterable[Row]) -> Intake:
    """Bring a table of the office in. Where `findings` are left the caller must undo everything."""
    intake = Intake()
    kept = []
    for row in rows:
        intake.read += 1
        if intake.read > MOST_ROWS:
            intake.findings.append(Fault(row.number, "", "行数过多。Too many rows."))
            break
        if row.fault is not None:
            intake.findings.append(Fault(row.number, "", row.fault))
            continue
        cells = {name: _bare(value) for name, value in row.cells.items() if name in COLUMNS}
        found = _findings(row.number, cells)
        intake.findings += found
        if not found:
            kept.append((row.number, cells))
    _take_units(register, [(n, c) for n, c in kept if c["kind"] == "unit"], intake)
    _take_people(register, [(n, c) for n, c in kept if c["kind"] == "person"], intake)
    intake.findings.sort()
    return intake


def missing_columns(columns: Iterable[str]) -> list[str]:
    """The columns of :data:`COLUMNS` that a table lacks and cannot do without."""
    return [name for name in ("kind", "code", "name", "account", "unit") if name not in columns]


def table(session: Session) -> Iterator[dict[str, str]]:
    """The office as it stands, in the shape it is brought in: units from the bureau down, people."""
    for row in execute(session, EXPORT):
        yield {name: _inert(row[name] or "") for name in COLUMNS}


def _bare(value: str) -> str:
    plain = value.strip()
    return plain[1:] if plain.startswith("'") and plain[1:].startswith(FORMULA) else plain


def _inert(value: str) -> str:
    return f"'{value}" if value.startswith(FORMULA) else value


def _findings(number: int, cells: Mapping[str, str]) -> list[Fault]:
    kind = cells.get("kind", "")
    if kind not in OWN:
        return [Fault(number, "kind", "应为 unit 或 person。Must be unit or person.")]
    found = [
        Fault(number, name, "此类行不填这一栏。Leave this column empty in such a row.")
        for name, value in cells.items()
        if value and name not in {"kind", *OWN[kind]}
    ]
    must = ("code", "name") if kind == "unit" else ("account", "name", "unit")
    found += [
        Fault(number, name, "请填写。This is needed.") for name in must if not cells.get(name)
    ]
    given: dict[str, Any] = {name: value for name, value in cells.items() if value}
    if "aliases" in given:
        given["aliases"] = _words(given["aliases"])
    found += [Fault(number, name, sentence) for name, sentence in faults(given)]
    if (until := cells.get("certified_until")) and _day(until) is None:
        sentence = "应为日期,如 2030-12-31。Give a day like 2030-12-31."
        found.append(Fault(number, "certified_until", sentence))
    return found


def _words(cell: str) -> list[str]:
    return [word.strip() for word in cell.replace(";", ";").split(";") if word.strip()]


def _day(cell: str) -> date | None:
    try:
        return date.fromisoformat(cell[:10])
    except ValueError:
        return None


def _take_units(register: Register, rows: list[tuple[int, dict[str, str]]], intake: Intake) -> None:
    """Units in any order: whichever lies under a unit that is there comes next."""
    waiting = rows
    while waiting:
        codes = {cells["code"] for _, cells in waiting}
        ready = [(n, c) for n, c in waiting if c.get("under", "") not in codes - {c["code"]}]
        for number, cells in ready or waiting:
            try:
                intake.units += _take_unit(register, cells)
            except BanjieError as error:
                intake.findings += _told(number, error)
        waiting = [each for each in waiting if each not in ready] if ready else []


def _take_unit(register: Register, cells: Mapping[str, str]) -> bool:
    code, name, under = cells["code"], cells["name"], cells.get("under") or None
    aliases = _words(cells.get("aliases", ""))
    there = register.office.unit_named(code)
    if there is None or there.code != code:
        units.create(register, code, name, under, aliases)
        return True
    above = register.office.units[there.parent_id] if there.parent_id is not None else None
    moved = under is not None and (above is None or under not in {above.code, above.name})
    # an empty cell says nothing: a file never removes
    if name == there.name and not moved and (not aliases or set(aliases) == set(there.aliases)):
        return False
    units.change(
        register, code, None, name=name, under=under if moved else None, aliases=aliases or None
    )
    return True


def _take_people(
    register: Register, rows: list[tuple[int, dict[str, str]]], intake: Intake
) -> None:
    for number, cells in rows:
        try:
            intake.people += _take_person(register, cells)
            for word in _words(cells.get("roles", "")):
                _take_role(register, cells["account"], word, intake)
        except BanjieError as error:
            intake.findings += _told(number, error)


def _take_person(register: Register, cells: Mapping[str, str]) -> bool:
    account, until = cells["account"], _day(cells.get("certified_until", ""))
    given: dict[str, Any] = {name: cells.get(name) or None for name in people.CHANGED}
    given["certified_until"] = until
    if register.office.person_named(account) is None:
        given["post_kind"] = given["post_kind"] or "staff"
        people.create(register, people.Newcomer(account=account, **given))
        return True
    row = execute(
        register.session,
        "SELECT p.name, u.code AS unit, p.post, p.post_kind, p.email, p.certificate,"
        " p.certified_until FROM person p JOIN unit u ON u.id = p.unit_id WHERE p.account = %s",
        (account,),
    ).fetchone()
    present = row or {}
    home = register.office.unit_named(given["unit"] or "")
    given["unit"] = home.code if home is not None else given["unit"]
    changes = {
        name: value for name, value in given.items() if value is not None and value != present[name]
    }
    if changes:
        people.change(register, account, None, changes)
    return bool(changes)


def _take_role(register: Register, account: str, word: str, intake: Intake) -> None:
    role, at, unit = word.partition("@")
    if not at or not unit:
        raise Invalid([("/roles", "角色写作 角色@单位代码。Write a role as role@unit.")])
    person = register.person(account)
    scope = register.unit(unit, "/roles")
    if (role, scope.id) in register.office.roles(person.id):
        return
    outcome = roles.change(register, account, role, unit, granted=True)
    intake.roles += outcome.done
    intake.proposed += not outcome.done


def _told(number: int, error: BanjieError) -> list[Fault]:
    if isinstance(error, Invalid):
        told = error.members["errors"]
        if isinstance(told, list):
            return [Fault(number, each["pointer"].lstrip("/"), each["detail"]) for each in told]
    return [Fault(number, "", error.detail)]
