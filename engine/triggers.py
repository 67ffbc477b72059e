"""The trigger rules of concentrated complaints (domain 3.9): what is too much about one unit, window or
matter, counted in SQL; the figures stand in `rules.yaml`.

Complaints that were behind an analysis of a cluster count for it no second time. Two findings about
one officer become a sealed candidate for the liaison: an analysis names nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.guards.enquiries import names_officer
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.desk import House
    from engine.rulebook import Rulebook

ANALYSIS, COMPLAINT, CANDIDATE = "analysis", "grievance", "misconduct"
BASE_UNTIL = "SELECT (min(counted_on) - %s::interval)::date AS day FROM tally"

_COMPLAINTS = """
WITH complaint AS (
  SELECT i.id, i.family_id, i.received_at, u.code AS unit, d.data ->> 'happened_on' AS happened_on,
    coalesce(d.data -> 'category_codes', d.data -> 'categories', '[]') AS codes
  FROM item i JOIN item_data d ON d.item_id = i.id JOIN unit u ON u.id = i.subject_unit_id
  WHERE i.workflow = 'grievance' AND i.state NOT IN ('not_accepted', 'transferred_out')
    AND i.received_at >= %(since)s AND i.received_at <= %(now)s)
"""
CATEGORY_UNIT = f"""{_COMPLAINTS}, counted AS (
  SELECT 'category_unit:' || c.unit || ':' || k.code AS cluster, c.unit, k.code,
    count(*) FILTER (WHERE c.received_at < %(begin)s) AS before,
    array_agg(c.id ORDER BY c.id) FILTER (WHERE c.received_at >= %(begin)s AND NOT EXISTS (
      SELECT FROM cluster_member m WHERE m.member_id = c.id
        AND m.cluster = 'category_unit:' || c.unit || ':' || k.code)) AS members
  FROM complaint c CROSS JOIN LATERAL jsonb_array_elements_text(c.codes) AS k(code)
  GROUP BY c.unit, k.code)
SELECT * FROM counted WHERE cardinality(members) >= %(least)s
  OR (cardinality(members) >= %(floor)s AND before > 0
    AND cardinality(members) * %(months)s >= %(times)s * before)
ORDER BY cluster
"""  # noqa: S608 - constants of this file
OFFICERS = """
SELECT 'officer:' || u.person_id AS cluster, u.person_id,
  array_agg(DISTINCT i.id ORDER BY i.id) AS members,
  array_agg(DISTINCT k.code) FILTER (WHERE k.code IS NOT NULL) AS codes
FROM item i JOIN item_data d ON d.item_id = i.id
JOIN item_duty u ON u.family_id = i.family_id AND u.duty = 'accused' AND u.ended_at IS NULL
LEFT JOIN LATERAL jsonb_array_elements_text(coalesce(d.data -> 'category_codes',
  d.data -> 'categories', '[]')) AS k(code) ON true
WHERE i.workflow = 'grievance' AND i.state NOT IN ('not_accepted', 'transferred_out')
  AND i.received_at >= %(begin)s AND i.received_at <= %(now)s
  AND NOT EXISTS (SELECT FROM cluster_member m WHERE m.member_id = i.id
    AND m.cluster = 'officer:' || u.person_id)
GROUP BY u.person_id HAVING count(DISTINCT i.id) >= %(least)s ORDER BY u.person_id
"""
MATTERS = f"""{_COMPLAINTS}, told AS (
  SELECT DISTINCT ON (c.id, k.code) c.id, c.unit, c.happened_on, k.code, t.mark
  FROM complaint c CROSS JOIN LATERAL jsonb_array_elements_text(c.codes) AS k(code)
  JOIN vault.trace t ON t.item_id = c.id
  WHERE c.happened_on IS NOT NULL ORDER BY c.id, k.code, t.purpose DESC)
SELECT concat_ws(':', 'matter', unit, code, happened_on) AS cluster, unit, code, happened_on,
  count(DISTINCT mark) AS people, array_agg(id ORDER BY id) AS members
FROM told t WHERE NOT EXISTS (SELECT FROM cluster_member m WHERE m.member_id = t.id
  AND m.cluster = concat_ws(':', 'matter', t.unit, t.code, t.happened_on))
GROUP BY unit, code, happened_on HAVING count(DISTINCT mark) >= %(least)s ORDER BY cluster
"""  # noqa: S608 - constants of this file
REVIEWS = """
SELECT c.key AS cluster, u.code AS unit, p.place, array_agg(i.id ORDER BY i.id) AS members
FROM item i JOIN item_data d ON d.item_id = i.id JOIN unit u ON u.id = i.unit_id
CROSS JOIN LATERAL (VALUES ('item', d.data ->> 'item_code'),
  ('window', d.data ->> 'window_or_channel')) AS p(kind, place)
CROSS JOIN LATERAL (SELECT concat_ws(':', 'reviews', u.code, p.kind,
  left(encode(sha256(convert_to(p.place, 'UTF8')), 'hex'), 12)) AS key) AS c
WHERE i.workflow = 'review' AND i.state <> 'closed_invalid' AND p.place IS NOT NULL
  AND d.data ->> 'level' IN ('dissatisfied', 'very_dissatisfied')
  AND d.data -> 'is_default' IS DISTINCT FROM 'true'::jsonb
  AND i.received_at >= %(begin)s AND i.received_at <= %(now)s
  AND NOT EXISTS (SELECT FROM cluster_member m WHERE m.member_id = i.id AND m.cluster = c.key)
GROUP BY 1, 2, 3 HAVING count(*) >= %(least)s ORDER BY cluster
"""
BASE = f"""{_COMPLAINTS}
SELECT c.unit, k.code, count(*) AS n, array_agg(c.id ORDER BY c.id) AS members
FROM complaint c CROSS JOIN LATERAL jsonb_array_elements_text(c.codes) AS k(code)
WHERE c.received_at < %(until)s AND NOT EXISTS (
  SELECT FROM cluster_member m WHERE m.cluster = 'base' OR m.cluster LIKE 'base:%%')
GROUP BY 1, 2 ORDER BY n DESC, 1, 2
"""  # noqa: S608 - constants of this file


@dataclass(frozen=True)
class Cluster:
    """What one trigger rule found, and what the item it begins is to hold."""

    key: str
    members: list[int]
    data: dict[str, Any]
    workflow: str = ANALYSIS


def clusters(session: Session, casework: Casework, house: House) -> Iterator[Cluster]:
    """What every rule finds now, the base scan first."""
    terms = _Terms(casework.catalog.rulebook, house.now)
    kinds = casework.catalog.named(COMPLAINT).workflow.fields["categories"].choices
    units = {unit.code: unit.name for unit in house.office.units.values()}
    yield from _base(session, casework, terms, house, kinds)
    yield from _category_units(session, terms, kinds, units)
    yield from _matters(session, terms, kinds, units)
    yield from _reviews(session, terms, house, units)
    yield from _officers(session, terms, house, kinds)


@dataclass(frozen=True)
class _Terms:
    """The figures of the rules on a day; where a window began, as the database counts it."""

    rulebook: Rulebook
    now: datetime

    @property
    def today(self) -> date:
        return self.now.astimezone(SHANGHAI).date()

    def least(self, name: str) -> int:
        return int(self.rulebook.quantity(name, self.today))

    def span(self, name: str) -> str:
        return str(self.rulebook.rule(name, self.today).within)

    def months(self, name: str) -> int:
        return self.rulebook.rule(name, self.today).within.amount

    def began(self, session: Session, *names: str) -> datetime:
        """The moment so long ago, several spans one before the other."""
        row = execute(
            session,
            "SELECT %s::timestamptz - (SELECT sum(s::interval) FROM unnest(%s::text[]) AS s) AS at",
            (self.now, [self.span(name) for name in names]),
        ).fetchone()
        at: datetime = (row or {})["at"]
        return at


def _category_units(
    session: Session, terms: _Terms, kinds: Mapping[str, str], units: Mapping[str, str]
) -> Iterator[Cluster]:
    begin, months = terms.began(session, "anl.window"), terms.months("anl.mean_window")
    least = terms.least("anl.category_unit")
    asked = {
        "begin": begin,
        "since": terms.began(session, "anl.window", "anl.mean_window"),
        "now": terms.now,
        "least": least,
        "floor": terms.least("anl.surge_floor"),
        "times": terms.least("anl.surge"),
        "months": months,
    }
    for row in execute(session, CATEGORY_UNIT, asked).fetchall():
        many = len(row["members"])
        kind, unit = kinds.get(row["code"], row["code"]), units[row["unit"]]
        yield Cluster(
            row["cluster"],
            row["members"],
            _analysis(
                terms,
                "category_unit" if many >= least else "surge",
                row,
                scope=f"{unit}:{kind}",
                counts={
                    "窗口期内件数": many,
                    f"此前{months}个月月均": round(row["before"] / months, 1),
                },
                query=f"投诉举报,被投诉单位 {unit},类别 {row['code']},接收于 {_day(begin)} 至 {_day(terms.now)}",
                begin=begin,
                topic=kind,
            ),
        )


def _matters(
    session: Session, terms: _Terms, kinds: Mapping[str, str], units: Mapping[str, str]
) -> Iterator[Cluster]:
    begin = terms.began(session, "anl.mean_window")
    asked = {"since": begin, "now": terms.now, "least": terms.least("anl.matter")}
    for row in execute(session, MATTERS, asked).fetchall():
        kind, unit = kinds.get(row["code"], row["code"]), units[row["unit"]]
        yield Cluster(
            row["cluster"],
            row["members"],
            _analysis(
                terms,
                "matter",
                row,
                scope=f"{unit}:{row['happened_on']} {kind}",
                counts={"件数": len(row["members"]), "反映人数": row["people"]},
                query=(
                    f"投诉举报,被投诉单位 {unit},类别 {row['code']},发生于 {row['happened_on']},"
                    "以联系方式的加钥摘要区分反映人,匿名的不计"
                ),
                begin=begin,
                topic=kind,
            ),
        )


def _reviews(
    session: Session, terms: _Terms, house: House, units: Mapping[str, str]
) -> Iterator[Cluster]:
    begin = terms.began(session, "anl.window")
    asked = {"begin": begin, "now": terms.now, "least": terms.least("anl.reviews")}
    for row in execute(session, REVIEWS, asked).fetchall():
        # a window may be called after whoever sits there; who may look at the reviews sees which
        place = "一处窗口" if names_officer(house.office, row["place"]) else row["place"]
        yield Cluster(
            row["cluster"],
            row["members"],
            _analysis(
                terms,
                "reviews",
                row,
                scope=f"{units[row['unit']]}:{place},差评",
                counts={"差评件数": len(row["members"])},
                query=(
                    f"好差评,责任单位 {row['unit']},窗口或者事项 {place},不满意、非常不满意,"
                    f"不含默认评价和认定无效的,接收于 {_day(begin)} 至 {_day(terms.now)}"
                ),
                begin=begin,
                topic=str(place),
            ),
        )


def _base(
    session: Session, casework: Casework, terms: _Terms, house: House, kinds: Mapping[str, str]
) -> Iterator[Cluster]:
    """Once, what an office brings with it from before its first count, and older than the window
    that is counted every day.
    """
    since = date(terms.least("anl.base_from"), 1, 1)
    row = execute(session, BASE_UNTIL, (terms.span("anl.window"),)).fetchone() or {}
    until = row["day"] or terms.began(session, "anl.window").date()
    asked = {"since": since, "now": terms.now, "until": until}
    rows = execute(session, BASE, asked).fetchall()
    units = {unit.code: unit.name for unit in house.office.units.values()}
    members = sorted({member for row in rows for member in row["members"]})
    if len(members) < terms.least("anl.category_unit"):
        return
    own = _units_of_readers(casework, house)
    for unit in (None, *dict.fromkeys(row["unit"] for row in rows if row["unit"] in own)):
        mine = [row for row in rows if (row["unit"] if row["unit"] in own else None) == unit]
        if not mine:
            continue
        key = f"base:{unit}" if unit else "base"
        members = sorted({member for row in mine for member in row["members"]})
        kind_of = {row["code"]: kinds.get(row["code"], row["code"]) for row in mine}
        data: dict[str, Any] = {
            "scope": f"{since}以来投诉举报的全面梳理" + (f":{units[unit]}" if unit else ""),
            "trigger": "base",
            "cluster": key,
            "counts": [
                {
                    "measure": f"{units[row['unit']]} {kind_of[row['code']]}",
                    "figure": str(row["n"]),
                }
                for row in mine
            ],
            "query": f"投诉举报,接收于 {since} 至 {until}(首次计数的窗口期之前),按被投诉单位和类别计数",
            "period_from": since.isoformat(),
            "topics": [*dict.fromkeys(kind_of.values())],
            "data_snapshot_id": _snapshot(key, members),
        }
        yield Cluster(key, members, data | ({"about_unit": unit} if unit else {}))


def _units_of_readers(casework: Casework, house: House) -> frozenset[str]:
    """The units of those who read what is counted, by code: nobody counts complaints of their own unit,
    so each of these has an analysis of its own.
    """
    workflow, office = casework.catalog.named(ANALYSIS).workflow, house.office
    home = office.unit_named(workflow.home.unit or "")
    today = house.now.astimezone(SHANGHAI).date()
    readers = (
        person
        for person in office.people
        if home and any(office.stands_in(person, r, home.id, today) for r in workflow.watchers())
    )
    return frozenset(
        office.units[unit].code
        for person in readers
        for own in office.units_of(person)
        for unit in office.above(own)
        if unit != office.root
    )


def _officers(
    session: Session, terms: _Terms, house: House, kinds: Mapping[str, str]
) -> Iterator[Cluster]:
    """Several complaints about one officer: a sealed candidate that the liaison confirms or not."""
    begin = terms.began(session, "anl.officer_window")
    asked = {"begin": begin, "now": terms.now, "least": terms.least("anl.officer")}
    for row in execute(session, OFFICERS, asked).fetchall():
        person = house.office.people[row["person_id"]]
        codes = [code for code in row["codes"] or () if code in kinds]
        data = {
            "subject_officers": [person.account],
            "respondent": house.office.units[person.unit_id].code,
            "category_codes": codes or ["M99"],
            "source_kind": "other",
            "candidate": True,
            "facts": (
                f"{_day(begin)} 至 {_day(terms.now)} 有{len(row['members'])}件投诉举报反映同一人员。"
                "系统计数所得,不是认定,须由纪检联络员确认。"
            ),
        }
        yield Cluster(row["cluster"], row["members"], data, workflow=CANDIDATE)


def _analysis(
    terms: _Terms,
    trigger: str,
    row: Mapping[str, Any],
    *,
    scope: str,
    counts: Mapping[str, Any],
    query: str,
    begin: datetime,
    topic: str,
) -> dict[str, Any]:
    return {
        "scope": scope,
        "trigger": trigger,
        "about_unit": row["unit"],
        "cluster": row["cluster"],
        "counts": [{"measure": name, "figure": str(n)} for name, n in counts.items()],
        "query": query,
        "period_from": _day(begin),
        "topics": [topic],
        "data_snapshot_id": _snapshot(f"{row['cluster']} {terms.now.isoformat()}", row["members"]),
    }


def _snapshot(about: str, members: list[int]) -> str:
    """A name for exactly these items counted at this moment."""
    return sha256(f"{about} {members}".encode()).hexdigest()[:16]


def _day(at: datetime) -> str:
    return at.astimezone(SHANGHAI).date().isoformat()
