"""The one way to the database: a pool, a transaction, and a deed that is tried again when it lost
a race it could not avoid.

Hot statements are SQL text run on the driver's own connection inside the same transaction
(`execute`): SQLAlchemy's result machinery costs 50-65 microseconds a statement, which a move pays
several times (ADR-0012). Everything else uses the session.
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import orjson
import psycopg
import sqlalchemy
from psycopg.rows import dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from engine.errors import (
    BanjieError,
    Busy,
    GuardRefused,
    Invalid,
    NotPermitted,
    Refused,
    Repeated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")
TRIES = 4
LIMITS = (
    "SET statement_timeout = '5s'; SET lock_timeout = '2s';"
    " SET idle_in_transaction_session_timeout = '10s'; SET timezone = 'Asia/Shanghai';"
    " SET max_parallel_workers_per_gather = 0"  # starting them costs more than a page of a list
)

set_json_dumps(orjson.dumps)
set_json_loads(orjson.loads)

PATIENCE = frozenset({"55P03", "57014", "25P03", "25P04"})
"""SQLSTATEs of time running out: for a lock, a statement, an idle or a whole transaction."""

VIOLATIONS: Mapping[str, Callable[[], BanjieError]] = {
    "duty_never_two_at_once": lambda: GuardRefused(
        "此人在本事项中已有不相容的职责,请换人办理。"
        "This person already bears a duty here that excludes this one; choose somebody else.",
        guard="duty_never_two_at_once",
    ),
    "duty_never_two_ever": lambda: GuardRefused(
        "办案、审批、回访须由不同的人承担,此人曾任其一,请换人办理。"
        "Handling, approving and revisiting must be done by different people; choose somebody else.",
        guard="duty_never_two_ever",
        source="许昌市市场监督管理局方案:实行回访人员和办案人员分离",
    ),
    "item_number_once": lambda: _LostRace("the number drawn was taken"),
    "item_outside_key_once": lambda: Repeated(
        "该外部编号已登记过。This outside key was registered before."
    ),
    "role_never_of_two_kinds": lambda: Refused(
        "管理员、审计员、纪检组不得兼任其他角色。"
        "Administrators, auditors and the discipline office bear no other role; choose somebody else."
    ),
    "role_never_checks_own_work": lambda: Refused(
        "承办人不得兼任分管领导、法制审核人员或者纪检联络员。"
        "A handler is no deputy, law reviewer or liaison; choose somebody else."
    ),
    "role_never_from_ones_own_hand": lambda: NotPermitted(
        "不能给自己授予角色。Nobody grants roles to himself; another administrator must."
    ),
    "role_takes_two_people": lambda: NotPermitted(
        "该角色的变更须由第二人确认。A second person must confirm a change of this role."
    ),
    "password_takes_two_people": lambda: NotPermitted(
        "口令须由两人重置。Two people reset a password: one asks, another gives it."
    ),
    "token_takes_two_people": lambda: NotPermitted(
        "此令牌须由两人创建。Two people make this token: one asks, another makes it."
    ),
    "leave_never_overlaps": lambda: Refused(
        "与已登记的请假重叠。This overlaps another leave of theirs; change that one."
    ),
    "leave_substitute_is_lawful": lambda: Refused(
        "代理人的角色与被代理的角色不相容。The substitute's roles exclude those they would act in."
    ),
    "unit_tree_has_no_circle": lambda: Refused(
        "单位不能移到自身或下级之下。A unit cannot lie below itself; choose another."
    ),
    "unit_has_one_root": lambda: Refused(
        "只能有一个本局。There is one bureau; name the unit above."
    ),
    "unit_code_once": lambda: Refused("该代码已被使用。This code is taken; choose another."),
    "unit_name_once": lambda: Refused("该名称已被使用。This name is taken; choose another."),
    "unit_above_is_open": lambda: Refused(
        "上级单位已撤销。The unit above is closed; choose another."
    ),
    "unit_closes_empty": lambda: Refused(
        "单位仍有人员、下级单位或在办事项,请先移交。"
        "The unit still has people, units below it or open items; move or finish them first."
    ),
    "person_works_in_an_open_unit": lambda: Refused(
        "该单位已撤销。This unit is closed; choose another."
    ),
    "person_account_once": lambda: Refused(
        "该账号已有人使用。There is an account of that name already."
    ),
    "person_one_main_head": lambda: Refused(
        "主要负责人只有一名,请先变更现任的职务。There is one main head; change the present one's post first."
    ),
    "person_certificate_once": lambda: Refused(
        "该执法证号已登记在他人名下。This certificate is somebody else's; check its number."
    ),
    "role_proposal_open_once": lambda: Refused(
        "同样的变更已在等待批准,请先处理那一项。"
        "The same change waits for approval already; decide that one first."
    ),
    "proposal_is_decided_once": lambda: Refused(
        "此项已有决定,请重新查看。This was decided already; look again."
    ),
    "answer_key": lambda: Busy("同一请求正在办理,请稍候。The same request is being answered."),
}
"""What a named constraint means to the person whose act it refused."""


class Database:
    """A pool of at most ``size`` connections to one PostgreSQL database.

    The pool waits 2 s for a free connection and then says Busy; it never overflows. With a `role`
    every connection steps down to it where it logged in as somebody mightier; `principal` is what
    a transaction stands for until it says otherwise (`engine.walls`). A transaction lasts ``longest`` seconds at most; 0 is for commands that read
    or write all there is.
    """

    def __init__(
        self,
        url: str,
        size: int = 8,
        *,
        role: str | None = None,
        principal: str = "",
        longest: int = 0,
    ) -> None:
        self.role = role
        self.principal = principal
        self.longest = longest
        self.pool = sqlalchemy.create_engine(
            url, pool_size=size, max_overflow=0, pool_timeout=2, pool_reset_on_return="rollback"
        )
        event.listen(self.pool, "connect", self._set_limits)

    def close(self) -> None:
        """Give every connection back to the server."""
        self.pool.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises Busy where the database asks for patience, and the error a named constraint stands
        for; other database errors pass, without their parameters.
        """
        try:
            info = {"principal": self.principal}
            with Session(self.pool, expire_on_commit=False, info=info) as session, session.begin():
                yield session
        except sqlalchemy.exc.TimeoutError as error:
            raise Busy("系统繁忙,请稍后再试。The system is busy; try again shortly.") from error
        except (DBAPIError, psycopg.Error) as error:
            # without the cause: its text quotes the values (a key, a failing row, the JSON sent)
            raise _translated(error) from None

    def perform(self, deed: Callable[[Session], T]) -> T:
        """Do a deed in one transaction, again where it lost a deadlock or a serialisation race.

        At most four tries with a short random wait; the deed must not keep anything from a try
        that failed.
        """
        for attempt in range(1, TRIES + 1):
            try:
                with self.transaction() as session:
                    return deed(session)
            except _LostRace as lost:
                if attempt == TRIES:
                    raise Busy("争用过多,请稍后再试。Too many at once; try again.") from lost
                time.sleep(random.uniform(0.005, 0.03) * attempt)  # noqa: S311 - a wait, no secret
        raise AssertionError

    def _set_limits(self, connection: psycopg.Connection[Any], _record: object) -> None:
        """Nobody waits for ever: not for a lock, not for a query, not for a client that went away."""
        autocommit = connection.autocommit
        connection.autocommit = True
        connection.execute(LIMITS)
        longest = f"{self.longest}s"
        connection.execute("SELECT set_config('transaction_timeout', %s, false)", (longest,))
        connection.execute("SELECT set_config('banjie.principal', %s, false)", (self.principal,))
        if self.role is not None:
            connection.execute("SELECT set_config('role', %s, false)", (self.role,))
        connection.autocommit = autocommit


class _LostRace(BanjieError):
    """This transaction lost a race and may be tried again."""


def execute(
    session: Session,
    statement: str,
    values: Sequence[Any] | Mapping[str, Any] = (),
    *,
    prepare: bool | None = None,
) -> psycopg.Cursor[dict[str, Any]]:
    """Run SQL text on the driver connection of the session's transaction.

    The statement must be a constant of the program: values travel as parameters, always. A session
    lives for one transaction, so the connection found first serves all its statements. With
    `prepare` off it is planned for these very values: a list that is short for one person and long
    for another must not share a plan.
    """
    connection: psycopg.Connection[Any] | None = session.info.get("driver")
    # a savepoint is set only when the session is asked for its connection inside it
    if connection is None or session.in_nested_transaction():
        found = session.connection().connection.driver_connection
        connection = session.info["driver"] = cast("psycopg.Connection[Any]", found)
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(statement, values, prepare=prepare)


def migrate(url: str) -> None:
    """Bring a database to the newest schema; safe to call at once from several processes."""
    from alembic import command  # a tenth of a second that no counter and no worker needs
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    command.upgrade(config, "head")


def _translated(error: Exception) -> Exception:  # noqa: PLR0911 - a table of causes
    """A database error as Banjie's own, where there is one."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return error
    state = cause.sqlstate or ""
    if state in {"40001", "40P01"}:
        return _LostRace("lost a race")
    if state in PATIENCE or state.startswith(("08", "53", "57P")):
        return Busy("系统繁忙,请稍后再试。The system is busy; try again shortly.")
    if state in {"22021", "22P05"}:
        return Invalid([("/data", "含有无法保存的字符。Holds characters that cannot be stored.")])
    if isinstance(cause, psycopg.OperationalError) and not state:
        return Busy("数据库暂不可用,请稍后再试。The database is away; try again shortly.")
    if (named := VIOLATIONS.get(cause.diag.constraint_name or "")) is not None:
        return named()
    return DatabaseFault(type(cause).__name__, state, cause.diag.constraint_name)


def passing(error: Exception) -> bool:
    """Whether a database error passes: the same transaction, tried again, may well succeed."""
    return isinstance(_translated(error), Busy | _LostRace)


class DatabaseFault(BanjieError):
    """The database refused in a way Banjie has no name for; the values are left out on purpose.

    ``sqlstate`` and ``constraint`` are for the log.
    """

    code = "database-fault"

    def __init__(self, kind: str, sqlstate: str = "", constraint: str | None = None) -> None:
        super().__init__(f"{kind} {sqlstate} {constraint or ''}".strip())
        self.sqlstate = sqlstate
        self.constraint = constraint
