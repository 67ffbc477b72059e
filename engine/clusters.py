"""Concentrated complaints (集中问题): what comes in too often about one unit, window or matter.

Once a day, and when somebody asks, the system counts by the trigger rules of `domain.md` 3.9 and
begins an analysis for each cluster that has none open; complaints that were behind an analysis of a
cluster count for it no second time. Which items are behind it is a table of its own, so that each
reader is shown those they may know of. Two findings about one officer go to the liaison as a sealed
candidate: an analysis names nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from engine.births import Birth
from engine.database import execute, passing
from engine.errors import BanjieError, NotPermitted
from engine.guards.enquiries import names_officer
from engine.paging import Page, Search, last_number
from engine.people import SYS
from engine.sight import sight
from engine.telling import tell, told_of
from engine.walls import as_engine
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.database import Database
    from engine.desk import House
    from engine.paging import Key
    from engine.people import Actor
    from engine.rulebook import Rulebook

ANALYSIS, COMPLAINT, CANDIDATE = "analysis", "grievance", "misconduct"
ASKING = ("law_hub", "audit", "deputy", "head")

CLAIM = """
INSERT INTO tally (counted_on) SELECT ((now() + practice_offset) AT TIME ZONE 'Asia/Shanghai')::date
FROM bureau ON CONFLICT DO NOTHING
"""
"""Whoever brings the day in counts; who comes at the same moment waits, and finds it done."""
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

STANDING = """
SELECT FROM cluster_member m JOIN item i ON i.id = m.item_id
WHERE m.cluster = %s AND i.closed_at IS NULL LIMIT 1
"""
MEMBERS = """
SELECT i.id FROM cluster_member m JOIN item i ON i.id = m.member_id WHERE {where}
ORDER BY i.id LIMIT %(n)s
"""
SHOWN = """
SELECT i.id, i.number, i.workflow, i.state, i.received_at, m.cluster
FROM cluster_member m JOIN item i ON i.id = m.member_id
WHERE m.item_id = %s AND i.id = ANY(%s) ORDER BY i.id
"""
BARRED = """
SELECT DISTINCT u.person_id FROM item i JOIN item_duty u ON u.family_id = i.family_id
WHERE i.id = ANY(%s) AND u.duty IN ('accused', 'recused') AND u.ended_at IS NULL ORDER BY 1
"""
KEEP = """
INSERT INTO cluster_member (item_id, member_id, cluster)
SELECT %s, member, %s FROM unnest(%s::bigint[]) AS member
"""


@dataclass(frozen=True)
class Cluster:
    """What one trigger rule found, and what the item it begins is to hold."""

    key: str
    members: list[int]
    data: dict[str, Any]
    workflow: str = ANALYSIS


def tally_daily(database: Database, casework: Casework) -> int:
    """Count where nobody has yet today; returns how many items began. Safe at once with itself."""

    def count(session: Session) -> int:
        if not _counts(casework) or not execute(session, CLAIM).rowcount:
            return 0
        return len(tally(session, casework))

    return database.perform(count)


def tally_when_asked(session: Session, casework: Casework, actor: Actor) -> list[str]:
    """Count now; the numbers of the analyses begun that the asker may know of. Raises NotPermitted."""
    office = casework.house(session).office
    if actor.id is None or not any(office.holds(actor.id, role, office.root) for role in ASKING):
        raise NotPermitted(
            "只有法规科汇总员、稽查核查员和局领导可以启动集中问题扫描。"
            "Only the law section's hub, audit and the bureau's heads may ask for a count.",
            roles=list(ASKING),
        )
    begun = []
    with as_engine(session):
        if _counts(casework):
            # not at the same moment as the daily count, which claims its day by this row
            execute(session, "SELECT FROM bureau FOR NO KEY UPDATE")
            begun = tally(session, casework)
        found = [casework.look(session, number, SYS) for number in begun]
        return [each.number for each in found if casework.sees(each, actor)]


def members(
    session: Session,
    casework: Casework,
    actor: Actor,
    number: str,
    *,
    after: Key | None = None,
    limit: int = 50,
) -> Page:
    """The items counted behind an analysis that the asker may know of, oldest first; how many there
    were in all is among the counts of the analysis itself. Raises NotFound.
    """
    dossier = casework.look(session, number, actor)
    look = sight(casework, casework.house(session), actor)
    search = Search(look, limit)
    search.demand("m.item_id = %(of)s", of=dossier.id)
    if after is not None:
        search.demand("i.id > %(last)s", last=last_number(after))
    ids = search.choose(session, MEMBERS.format(where=search.where(look.visible())))
    rows = execute(session, SHOWN, (dossier.id, ids)).fetchall()
    return search.page(rows, ["id"], lambda row: {name: row[name] for name in row if name != "id"})


def tally(session: Session, casework: Casework) -> list[str]:
    """Begin what the trigger rules ask for; the numbers of the items begun."""
    house = casework.house(session)
    begun = []
    for cluster in [*_clusters(session, casework, house)]:
        if execute(session, STANDING, (cluster.key,)).fetchone() is not None:
            continue
        try:
            with session.begin_nested():
                begun.append(_begin(session, casework, cluster, house.now))
        except Exception as error:
            if passing(error):
                raise
            tell("tally.failed", **told_of(error))
    return begun


def _begin(session: Session, casework: Casework, cluster: Cluster, now: datetime) -> str:
    birth = Birth(cluster.data, channel="spawn", barred=_concerned(session, cluster))
    (born,) = casework.submit_many(session, cluster.workflow, SYS, [birth], at=now)
    if isinstance(born, BanjieError):
        raise born
    execute(session, KEEP, (born.id, cluster.key, cluster.members))
    return born.number


def _concerned(session: Session, cluster: Cluster) -> list[int]:
    """Who is barred from any item that was counted: whoever read the count and then the shorter list
    would know that there is one about him. He hears nothing of the analysis at all.
    """
    if cluster.workflow != ANALYSIS:
        return []
    return [row["person_id"] for row in execute(session, BARRED, (cluster.members,))]


def _counts(casework: Casework) -> bool:
    """Whether this office has the workflows the rules are about; a folder of others need not."""
    return {ANALYSIS, COMPLAINT, CANDIDATE} <= casework.catalog.current.keys()


def _clusters(session: Session, casework: Casework, house: House) -> Iterator[Cluster]:
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
