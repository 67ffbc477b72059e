"""What must hold before this process serves anybody: the database keeps what it confirms, the
application's role is nobody mighty, the second wall stands, a real office's clock is nobody's to
move, and keys are readable by us alone.

A wrong setting found at night by an attacker, or in the morning after a power cut, was wrong on the
day of installation; so it is refused on that day, with a sentence that says what to change
(reliability: T46).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.database import execute
from engine.errors import Unfit
from engine.walls import APP, ENGINE, POLICIES, RIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy.orm import Session

DURABLE: Mapping[str, frozenset[str]] = {
    "fsync": frozenset({"on"}),
    "full_page_writes": frozenset({"on"}),
    "synchronous_commit": frozenset({"on", "remote_write", "remote_apply"}),
}
"""Settings of the server without which an answer of 2xx promises nothing, and their lawful values."""

_SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
_ROLES = """
SELECT r.rolname, r.rolname = session_user AND r.rolname <> current_user AS stepped_down,
  r.rolsuper OR r.rolbypassrls OR EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid
    AND c.relnamespace = 'public'::regnamespace) AS mighty
FROM pg_roles r WHERE r.rolname = ANY(%s) OR r.rolname IN (current_user, session_user)
ORDER BY r.rolname
"""
_UNWALLED = """
SELECT w.name FROM unnest(%s::text[]) AS w(name) JOIN pg_class c ON c.oid = to_regclass(w.name)
WHERE NOT c.relrowsecurity ORDER BY w.name
"""
_TOO_MUCH = """
SELECT DISTINCT c.oid::regclass::text AS table_name, a.privilege_type
FROM pg_class c CROSS JOIN aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
WHERE r.rolname = ANY(%s) AND c.relkind = 'r'
  AND c.relnamespace IN ('public'::regnamespace, 'vault'::regnamespace)
ORDER BY table_name
"""
_WHOLE = re.compile(r"\b[A-Z]+\b(?! \()")
"""The privileges of :data:`RIGHTS` that are of the whole table, not of some of its columns."""
_MOVED = "SELECT practice_offset AS moved FROM bureau WHERE practice_offset <> interval '0'"
OTHERS = 0o077


def demand_fit(session: Session, keys: Iterable[Path], *, practice: bool) -> None:
    """Raise Unfit with every complaint at once. `practice`: a sample office may have logged in as
    somebody mighty and stepped down; a real one may not.
    """
    found = [*_not_durable(session), *_too_mighty(session, practice=practice), *_unwalled(session)]
    found += [*([] if practice else moved_clock(session)), *loose_keys(keys)]
    if found:
        raise Unfit("\n".join(found))


def _not_durable(session: Session) -> Iterator[str]:
    for row in execute(session, _SETTINGS, (list(DURABLE),)):
        if row["setting"] not in DURABLE[row["name"]]:
            yield (
                f"数据库的 {row['name']} 为 {row['setting']},断电会丢失已确认的数据,请改为 on。"
                f"PostgreSQL runs with {row['name']}={row['setting']}: what it confirms may be lost;"
                " set it to on."
            )


def _too_mighty(session: Session, *, practice: bool) -> Iterator[str]:
    for row in execute(session, _ROLES, ([APP, ENGINE],)):
        if not row["mighty"] or (row["stepped_down"] and practice):
            continue
        yield (
            f"应用以 {row['rolname']} 登录,权限过大,行级安全对它无效。请让 BANJIE_DATABASE_URL 使用"
            " banjie_app,另用 BANJIE_OWNER_URL 建表。"
            "The application logs in as a superuser, an owner of tables or a role that passes row-level"
            " security. Let BANJIE_DATABASE_URL name banjie_app, and BANJIE_OWNER_URL the owner."
        )


def _unwalled(session: Session) -> Iterator[str]:
    for row in execute(session, _UNWALLED, (list(POLICIES),)):
        yield (
            f"表 {row['name']} 未启用行级安全,请运行 banjie migrate。"
            f"Row-level security is off for {row['name']}; run `banjie migrate`."
        )
    for row in execute(session, _TOO_MUCH, ([APP, ENGINE],)):
        if row["privilege_type"] not in _WHOLE.findall(RIGHTS.get(row["table_name"], "")):
            yield (
                f"应用对表 {row['table_name']} 多了 {row['privilege_type']} 权限,请收回。"
                f"The application may {row['privilege_type']} {row['table_name']}; revoke it."
            )


def moved_clock(session: Session) -> Iterator[str]:
    """A sentence where the office's clock is not the server's, as only a sample office's may be."""
    for row in execute(session, _MOVED):
        yield (
            f"本局的时钟被拨动了 {row['moved']},各期限不会按时到来。请由库主将 bureau.practice_offset 改回 0,"
            "并查明何人所改。"
            f"The office's clock was moved by {row['moved']}, so no time limit comes when it is due. Let"
            " the owner of the tables set bureau.practice_offset to 0, and find out who moved it."
        )


def loose_keys(keys: Iterable[Path]) -> Iterator[str]:
    """A sentence for each key file that somebody else may read."""
    for path in keys:
        if path.exists() and path.stat().st_mode & OTHERS:
            yield (
                f"密钥文件 {path} 他人可读,请运行 chmod 400。"
                f"Others may read the key {path}; run chmod 400 on it."
            )
