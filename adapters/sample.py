"""The sample office: the units of the plan and enough people that nobody's absence silences a case.

Contract accounts come first; the others are there because duties are kept apart (办案、审批、回访
须由不同的人承担): every unit has a head and two certified handlers, and every role that a case may
need has a second person whose home lies elsewhere, for the day when the first one is complained of.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import orjson

from engine.catalog import install
from engine.codes import hash_code
from engine.database import execute
from engine.errors import Refused
from engine.programmes import LEDGER, register
from engine.roster import Roster

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.database import Database
    from engine.programmes import Programme

__all__ = ["ACCOUNTS", "PASSWORD", "load", "load_programmes", "roster"]

PASSWORD = "banjie-sample"  # noqa: S105 - printed on purpose, exists only under BANJIE_SAMPLE=1
CERTIFIED_UNTIL = date(2030, 12, 31)


POSTS = {
    "head": ("局长", "main_head"),
    "deputy": ("副局长", "other_head"),
    "unit_head": ("科长", "staff"),
    "liaison": ("纪检联络员", "staff"),
    "discipline": ("派驻纪检监察组成员", "staff"),
    "party_group": ("党组成员", "other_head"),
}
"""The post of whoever bears a role, the first that fits."""
STAFF = ("执法人员", "staff")


class _Unit(NamedTuple):
    code: str
    name: str
    aliases: tuple[str, ...] = ()


class _Person(NamedTuple):
    """Somebody of the office: roles are (role, unit of the scope)."""

    account: str
    name: str
    home: str
    roles: tuple[tuple[str, str], ...]

    @property
    def certified(self) -> bool:
        """Whether this person holds an enforcement certificate (行政执法证)."""
        return any(role in {"handler", "audit"} for role, _ in self.roles)

    @property
    def post(self) -> tuple[str, str]:
        """Title and kind of the post (职务)."""
        return next((POSTS[role] for role, _ in self.roles if role in POSTS), STAFF)


BUREAU = _Unit("BUR", "许昌市市场监督管理局", ("市局", "bureau"))
PARTS = (
    _Unit("BR1", "第一分局"),
    _Unit("BR2", "第二分局"),
    _Unit("SQD", "综合行政执法支队", ("综合执法支队",)),
    _Unit("AUD", "执法稽查科"),
    _Unit("LAW", "法规科"),
    _Unit("SVC", "政务服务科"),
    _Unit("OFF", "办公室"),
    _Unit("IPR", "知识产权保护科"),
)


def _at(role: str, *units: str) -> tuple[tuple[str, str], ...]:
    return tuple((role, unit) for unit in units)


_EVERYWHERE = tuple(unit.code for unit in PARTS)

_NAMED = (
    _Person("intake", "许静怡", "OFF", _at("intake", "BUR")),
    _Person("handler1", "陈志远", "AUD", _at("handler", "AUD")),
    _Person("handler2", "王建国", "AUD", _at("handler", "AUD")),
    _Person("branch1_handler", "李晓峰", "BR1", _at("handler", "BR1")),
    _Person("branch1_head", "张国强", "BR1", _at("unit_head", "BR1")),
    _Person("branch2_handler", "刘海燕", "BR2", _at("handler", "BR2")),
    # also acting head of the two small sections, as small offices do
    _Person("unit_head", "赵明德", "AUD", _at("unit_head", "AUD", "IPR", "SVC")),
    _Person("law_reviewer", "孙慧敏", "LAW", _at("law_reviewer", "BUR")),
    _Person("law_hub", "周文静", "LAW", _at("law_hub", "BUR")),
    _Person("deputy", "吴正华", "BUR", (*_at("deputy", "BUR"), *_at("party_group", "BUR"))),
    _Person("head", "郑立新", "BUR", (*_at("head", "BUR"), *_at("party_group", "BUR"))),
    _Person("liaison", "冯守正", "BUR", _at("liaison", "BUR")),
    _Person("mediator", "何雅琴", "IPR", _at("mediator", "BUR")),
    _Person("revisitor", "吕思源", "LAW", _at("revisitor", "BUR")),
    _Person("counsellor", "沈安然", "SVC", _at("counsellor", "BUR")),
    _Person("inspector", "韩冬梅", "SVC", _at("inspector", "BUR")),
    _Person("reporter", "杨帆", "OFF", _at("reporter", "BUR", *_EVERYWHERE)),
    _Person("auditor", "朱清源", "OFF", _at("auditor", "BUR")),
    _Person("discipline", "秦铁军", "BUR", _at("discipline", "BUR")),
    _Person("admin", "尤新宇", "OFF", _at("admin", "BUR")),
)
_OTHERS = (
    _Person("intake2", "曹敏", "SVC", _at("intake", "BUR")),
    _Person("branch1_handler2", "魏东升", "BR1", _at("handler", "BR1")),
    _Person("branch2_handler2", "姜雪", "BR2", _at("handler", "BR2")),
    _Person("branch2_head", "谢长林", "BR2", _at("unit_head", "BR2")),
    _Person("squad_handler", "邹勇", "SQD", _at("handler", "SQD")),
    _Person("squad_handler2", "喻晓东", "SQD", _at("handler", "SQD")),
    _Person("squad_head", "柏长青", "SQD", _at("unit_head", "SQD")),
    _Person("law_handler", "水清华", "LAW", _at("handler", "LAW")),
    _Person("law_handler2", "窦雅文", "LAW", _at("handler", "LAW")),
    _Person("law_head", "章法严", "LAW", _at("unit_head", "LAW")),
    _Person("office_handler", "云海波", "OFF", _at("handler", "OFF")),
    _Person("office_handler2", "苏婉", "OFF", _at("handler", "OFF")),
    _Person("office_head", "潘玉成", "OFF", _at("unit_head", "OFF")),
    _Person("service_handler", "葛丽", "SVC", _at("handler", "SVC")),
    _Person("service_handler2", "奚明", "SVC", _at("handler", "SVC")),
    _Person("ip_handler", "范博", "IPR", _at("handler", "IPR")),
    _Person("ip_handler2", "彭程", "IPR", _at("handler", "IPR")),
    _Person("chief_of_staff", "郎秉文", "BUR", _at("unit_head", "BUR")),
    _Person("audit1", "鲁刚", "AUD", _at("audit", "BUR")),
    _Person("audit2", "韦清", "LAW", _at("audit", "BUR")),
    _Person("law_reviewer2", "昌宏", "OFF", _at("law_reviewer", "BUR")),
    _Person("law_hub2", "马婷", "OFF", _at("law_hub", "BUR")),
    _Person("deputy2", "苗振国", "BUR", (*_at("deputy", "BUR"), *_at("party_group", "BUR"))),
    _Person("party_member", "凤兰英", "BUR", _at("party_group", "BUR")),
    _Person("liaison2", "花志坚", "BUR", _at("liaison", "BUR")),
    _Person("mediator2", "方晓燕", "BR1", _at("mediator", "BUR")),
    _Person("revisitor2", "俞佳", "SVC", _at("revisitor", "BUR")),
    _Person("counsellor2", "任和", "LAW", _at("counsellor", "BUR")),
    _Person("inspector2", "袁野", "LAW", _at("inspector", "BUR")),
    _Person("reporter2", "柳青", "LAW", _at("reporter", *_EVERYWHERE)),
    _Person("auditor2", "酆明察", "LAW", _at("auditor", "BUR")),
    _Person("discipline2", "鲍廉", "BUR", _at("discipline", "BUR")),
)
PEOPLE = (*_NAMED, *_OTHERS)
ACCOUNTS = tuple(person.account for person in _NAMED)
"""The accounts people are told of; the others can log in with the same password."""

_UNITS = """
INSERT INTO unit (code, name, aliases, parent_id)
SELECT r.code, r.name, ARRAY(SELECT jsonb_array_elements_text(r.aliases)),
  (SELECT id FROM unit WHERE code = %(parent)s)
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(code text, name text, aliases jsonb)
ON CONFLICT DO NOTHING
"""
_PEOPLE = """
INSERT INTO person (account, name, unit_id, email, password_hash, post, post_kind, certificate,
  certified_until)
SELECT r.account, r.name, u.id, r.account || '@banjie.example', %(password)s, r.post, r.post_kind,
  r.certificate, r.certified_until
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(account text, name text, home text, post text,
  post_kind text, certificate text, certified_until date)
JOIN unit u ON u.code = r.home
ON CONFLICT DO NOTHING
RETURNING account
"""
_MEMBERSHIPS = """
INSERT INTO membership (person_id, role, unit_id)
SELECT p.id, r.role, u.id
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(account text, role text, unit text)
JOIN person p ON p.account = r.account JOIN unit u ON u.code = r.unit
WHERE r.account = ANY(%(new)s)
ON CONFLICT DO NOTHING
"""


def load(database: Database, casework: Casework) -> None:
    """Bring the workflows and the sample office into a migrated database.

    Whoever is there already stays as they are, so that loading again changes nothing. Refused
    where another office lives in the database.
    """
    password = hash_code(PASSWORD)

    def settle_in(session: Session) -> None:
        install(session, casework.catalog)
        # one loader at a time: two that start at once would each wait for the other's rows
        execute(session, "SELECT FROM bureau FOR UPDATE")
        others = execute(
            session, "SELECT FROM unit WHERE parent_id IS NULL AND code <> %s", (BUREAU.code,)
        )
        if others.fetchone() is not None:
            raise Refused(
                "这个数据库已有真实的机构,不能装入示例单位。"
                "Another office lives in this database; load the sample office into an empty one."
            )
        _settle_in(session, password)

    database.perform(settle_in)


def load_programmes(database: Database, casework: Casework, programmes: Sequence[Programme]) -> int:
    """Bring the plan's measures and duties into the ledger of the sample office, one row for each unit
    responsible; how many are new. Loading again changes nothing.
    """
    if LEDGER not in casework.catalog.current:
        return 0

    def bring_in(session: Session) -> int:
        execute(session, "SELECT FROM bureau FOR UPDATE")  # one loader at a time
        return sum(register(session, casework, programme) for programme in programmes)

    return database.perform(bring_in)


def _settle_in(session: Session, password: str) -> None:
    for parent, units in ((None, (BUREAU,)), (BUREAU.code, PARTS)):
        rows = [unit._asdict() for unit in units]
        execute(session, _UNITS, {"rows": _json(rows), "parent": parent})
    people = [
        {
            "account": person.account,
            "name": person.name,
            "home": person.home,
            "post": person.post[0],
            "post_kind": person.post[1],
            "certificate": f"1641{at:06d}" if person.certified else None,
            "certified_until": CERTIFIED_UNTIL if person.certified else None,
        }
        for at, person in enumerate(PEOPLE, 1)
    ]
    found = execute(session, _PEOPLE, {"rows": _json(people), "password": password})
    new = [row["account"] for row in found]
    if new:
        memberships = [
            {"account": person.account, "role": role, "unit": unit}
            for person in PEOPLE
            for role, unit in person.roles
        ]
        execute(session, _MEMBERSHIPS, {"rows": _json(memberships), "new": new})


def roster() -> Roster:
    """The sample office as the silence proof sees it, without a database."""
    units: Mapping[str, str | None] = {
        BUREAU.code: None,
        **{unit.code: BUREAU.code for unit in PARTS},
    }
    return Roster(
        units=units,
        people={person.account: person.home for person in PEOPLE},
        memberships=frozenset(
            (person.account, role, unit) for person in PEOPLE for role, unit in person.roles
        ),
        certified=frozenset(person.account for person in PEOPLE if person.certified),
    )


def _json(rows: Sequence[Mapping[str, object]]) -> str:
    return orjson.dumps(rows).decode()
