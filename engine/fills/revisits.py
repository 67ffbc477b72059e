"""The draw of a month's revisits (案件回访抽样): commitment, list, sample and substitutes.

The seed comes from the unit, the month and a salt nobody knows before the list is closed: a keyed hash
under a key of the house. Its digest stands on the item, and so in the log, from the beginning on.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.draws import (
    BACKLOG,
    Case,
    RevisitPolicy,
    commitment_of,
    digest_of,
    draw,
    next_of,
    rate_of,
    read,
    seed_of,
    strata_lines,
    written,
)
from engine.errors import GuardRefused, Invalid
from engine.fills.filling import Filling, fill
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.dossier import Dossier

POLICY = "revisit"
PURPOSE = "revisit draw"
RECENT = "recent"
REGISTER = "closed_case"
GROUNDS = "must_include"
MOST_LINES = 50
A_LINE = 40  # numbers

CLOSED = """
SELECT i.number, i.workflow, d.data, i.closed_at FROM item i JOIN item_data d ON d.item_id = i.id
WHERE i.unit_id = %(unit)s AND i.closed_at IS NOT NULL AND NOT i.sealed
  AND (i.workflow, i.state) IN (SELECT * FROM unnest(%(workflows)s::text[], %(states)s::text[]))
  AND NOT EXISTS (SELECT FROM item v JOIN item_data w ON w.item_id = v.id
    WHERE v.family_id = i.family_id AND v.workflow = 'revisit' AND w.data ->> 'case' = i.number)
ORDER BY i.number
"""
"""Closed cases of a unit that nobody was asked about yet."""
LISTS = """
SELECT d.data ->> 'month' AS month,
  CASE i.state WHEN 'cancelled' THEN '' ELSE coalesce(d.data ->> 'population', '') END AS population
FROM item i JOIN item_data d ON d.item_id = i.id
WHERE i.workflow = %s AND i.unit_id = %s AND i.id <> %s
"""
"""What a unit's other campaigns drew from; a cancelled one asked nobody."""
VISITS = """
SELECT w.data ->> 'case' AS number, v.state FROM item v JOIN item_data w ON w.item_id = v.id
WHERE v.parent_id = %s AND v.workflow = 'revisit'
"""
REPLACED = """
SELECT data ->> 'replaced_case' AS number FROM event WHERE item_id = %s AND act = 'replace'
"""
BRIEF = """
SELECT i.number, i.workflow, d.data FROM item i JOIN item_data d ON d.item_id = i.id
WHERE i.number = %s
"""


@fill("seed_commitment")
def commit_seed(filling: Filling) -> Mapping[str, Any]:
    """The digest of the seed, told before anybody knows the list."""
    return {"seed_commitment": commitment_of(_seed(_item(filling))[1])}


@fill(
    "population_query",
    "population",
    "population_digest",
    "salt",
    "seed",
    "most",
    "strata",
    "must_include",
    "sample_list",
)
def draw_sample(filling: Filling) -> Mapping[str, Any]:
    """The population as it stands, the seed revealed, and the sample that follows from both.

    Raises Invalid where a key case is none of the population, GuardRefused where the seed is no longer
    the one that was committed to.
    """
    dossier = _item(filling)
    salt, seed = _seed(dossier)
    if commitment_of(seed) != filling.held.get("seed_commitment"):
        raise GuardRefused(
            "种子与事先公布的摘要不符,请从备份恢复密钥 duplicates.key。"
            "The seed is not the one committed to; restore the key duplicates.key from its copy.",
            guard="draw_sample",
        )
    policy = _policy(dossier)
    month = date.fromisoformat(f"{filling.held['month']}-01")
    found = list(_closed(filling, dossier, policy, month))
    rows = {row["number"]: row for row, _ in found}
    named = _key_cases(filling, [*rows.values()])
    grounds = policy.must_include.keys()
    cases = [
        Case(number, stratum, number in named or bool(grounds & {*row["data"].get(GROUNDS, ())}))
        for (row, stratum), number in zip(found, rows, strict=True)
    ]
    percents = {case.stratum: rate_of(case.stratum, policy.rates) for case in cases}
    drawn = draw(seed, cases, percents, policy.most)
    population, strata = written(cases), {case.number: case.stratum for case in cases}
    return {
        "population_query": _told(policy, month, len(cases)),
        "population": population,
        "population_digest": digest_of(population),
        "salt": salt,
        "seed": seed,
        "most": policy.most,
        "strata": strata_lines(drawn.strata),
        "must_include": _lines([case.number for case in sorted(cases) if case.must]),
        "sample_list": [_visit(rows[number], strata[number]) for number in drawn.numbers],
    }


@fill("substitutes")
def next_in_order(filling: Filling) -> Mapping[str, Any]:
    """The next case of the same stratum for one whose party could not be reached.

    Raises GuardRefused where the case is not to be replaced, or none is left.
    """
    dossier, session = _item(filling), filling.session
    gone = str(filling.given.get("replaced_case", ""))
    visits = {row["number"]: row["state"] for row in execute(session, VISITS, (dossier.id,))}
    replaced = {row["number"] for row in execute(session, REPLACED, (dossier.id,))}
    if visits.get(gone) != "unreachable" or gone in replaced:
        raise GuardRefused(
            "只有本次样本中无法联系、尚未替补的案件才能替补,请核对案件编号。"
            "Only a case of this sample whose party could not be reached is replaced, and once.",
            guard="next_in_order",
        )
    cases = read(str(filling.held.get("population", "")))
    number = next_of(str(filling.held["seed"]), cases, gone, [*visits])
    row = execute(session, BRIEF, (number,)).fetchone() if number else None
    if row is None:
        raise GuardRefused(
            "该层已没有可以替补的案件。No case of that stratum is left to stand in.",
            guard="next_in_order",
        )
    stratum = next(case.stratum for case in cases if case.number == number)
    return {"substitutes": [_visit(row, stratum)]}


def _item(filling: Filling) -> Dossier:
    if filling.dossier is None:
        raise AssertionError  # a campaign is drawn from when it is there
    return filling.dossier


def _seed(dossier: Dossier) -> tuple[str, str]:
    """Salt and seed of a unit's month: the same whenever they are asked for, so that nobody draws again
    until he likes the sample; unknown to people before.
    """
    unit, month = str(dossier.data["unit"]), str(dossier.data["month"])
    salt = dossier.vault.mark(PURPOSE, f"{unit}|{month}").hex()
    return salt, seed_of(unit, month, salt)


def _policy(dossier: Dossier) -> RevisitPolicy:
    found = dossier.bound.policies.get(POLICY)
    if not isinstance(found, RevisitPolicy):
        raise GuardRefused(
            "缺少抽样政策 policies/revisit.yaml,请补上后重启。"
            "The policy of the draw, policies/revisit.yaml, is missing; add it and start anew.",
            guard="draw_sample",
        )
    return found


def _closed(
    filling: Filling, dossier: Dossier, policy: RevisitPolicy, month: date
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The closed cases of the unit with their strata: from the policy's first day to the end of the
    month before. What ended in that month is recent, and what ended since the first list of all and
    was on none yet: whoever registers late, or has a list cancelled, gains nothing. The rest is backlog.
    """
    unit = filling.office.unit_named(str(dossier.data["unit"]))
    pairs = [(name, state) for name, states in policy.cases.items() for state in states]
    values = {
        "unit": unit.id if unit else None,
        "workflows": [name for name, _ in pairs],
        "states": [state for _, state in pairs],
    }
    last_month = _month_before(month)
    lists = execute(
        filling.session, LISTS, (dossier.workflow.workflow, values["unit"], dossier.id)
    ).fetchall()
    firsts = [_month_before(date.fromisoformat(f"{each['month']}-01")) for each in lists]
    since = min([*firsts, last_month])
    seen = {case.number for each in lists for case in read(each["population"])}
    for row in execute(filling.session, CLOSED, values):
        data = row["data"]
        if data.get("named_or_anonymous") == "anonymous":
            continue  # there is nobody to be asked
        own = data.get("closed_on")
        day = date.fromisoformat(own) if own else row["closed_at"].astimezone(SHANGHAI).date()
        if policy.since <= day < month:
            new = day >= last_month or (day >= since and row["number"] not in seen)
            when = RECENT if new else BACKLOG
            yield row, f"{_kind(row)}.{when}"


def _month_before(month: date) -> date:
    """The first day of the month before."""
    return (month - timedelta(days=1)).replace(day=1)


def _kind(row: Mapping[str, Any]) -> str:
    """The kind of a case; of a penalty with its procedure, the ordinary one where none is told."""
    if row["workflow"] != REGISTER:
        return str(row["workflow"])
    kind = str(row["data"]["case_kind"])
    return f"{kind}.{row['data'].get('procedure', 'ordinary')}" if kind == "penalty" else kind


def _key_cases(filling: Filling, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """The numbers of the cases people named, by our number or the case's own. Raises Invalid."""
    ours = {str(row["data"].get("case_no", row["number"])): row["number"] for row in rows}
    ours |= {row["number"]: row["number"] for row in rows}
    named = [str(name).strip() for name in filling.held.get("key_cases", ())]
    if any(name not in ours for name in named):
        sentence = (
            "有的编号不在本单位可抽的案件中(未登记、已回访或者尚未到月),请核对。"
            "Some of these are none of the cases that can be drawn; check their numbers."
        )
        raise Invalid([("/data/key_cases", sentence)])
    return {ours[name] for name in named}


def _lines(numbers: Sequence[str]) -> list[str]:
    """Numbers in lines of a list."""
    parts = [numbers[at : at + A_LINE] for at in range(0, len(numbers), A_LINE)]
    return ["、".join(part) for part in parts[:MOST_LINES]]


def _told(policy: RevisitPolicy, month: date, cases: int) -> str:
    last = month - timedelta(days=1)
    profile = policy.profiles[policy.profile]
    return (
        f"本单位 {policy.since} 至 {last} 办结、尚未回访的案件 {cases} 件;"
        f"方案 {policy.profile}({profile.source}),一次至多 {policy.most} 件"
    )


def _visit(row: Mapping[str, Any], stratum: str) -> dict[str, str]:
    """A record of the sample: what a revisit begins with."""
    data = row["data"]
    told = " ".join(str(data[name]) for name in ("case_no", "party_ref") if data.get(name))
    kind = data.get("case_kind", row["workflow"])
    return {"case": row["number"], "case_kind": kind, "party_ref": told[:200], "stratum": stratum}
