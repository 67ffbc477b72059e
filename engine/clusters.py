"""Concentrated complaints (集中问题): what comes in too often about one unit, window or matter.

Once a day, and when somebody asks, the system counts by the trigger rules (`engine.triggers`) and
begins an analysis for each cluster that has none open. Which items are behind it is a table of its
own, so that each reader is shown those they may know of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.births import Birth
from engine.database import execute, passing
from engine.errors import BanjieError, NotPermitted
from engine.paging import Page, Search, last_number
from engine.people import SYS
from engine.sight import sight
from engine.telling import tell, told_of
from engine.triggers import ANALYSIS, CANDIDATE, COMPLAINT, Cluster, clusters
from engine.walls import as_engine

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.database import Database
    from engine.paging import Key
    from engine.people import Actor

ASKING = ("law_hub", "audit", "deputy", "head")

CLAIM = """
INSERT INTO tally (counted_on) SELECT ((now() + practice_offset) AT TIME ZONE 'Asia/Shanghai')::date
FROM bureau ON CONFLICT DO NOTHING
"""
"""Whoever brings the day in counts; who comes at the same moment waits, and finds it done."""

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
    for cluster in [*clusters(session, casework, house)]:
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
