"""The composition root of the counter: settings in, an application out.

`python -m api` serves it. Two applications in one process: `/api/v1`, which speaks
JSON and problem details, and the root with the few pages. Both stand behind one gate.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from anyio.to_thread import current_default_thread_limiter, run_sync
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from api import (
    absences,
    attachments,
    auth,
    calendar,
    clusters,
    credentials,
    erasures,
    figures,
    foresight,
    health,
    items,
    log,
    messages,
    office,
    pages,
    portal,
    practice,
    problems,
    questionnaires,
    receipts,
    referrals,
    reports,
    reveals,
    rolls,
    sign_on,
    staff_access,
    stalls,
    submissions,
    tokens,
    workflows,
)
from api.cookies import Cookies
from api.counter import Counter, refuse_strange_filters
from api.cursors import Cursors
from api.door import Door
from api.gate import Gate, Room
from api.origins import Origins
from api.permits import refuse_undeclared
from engine.casework import Casework
from engine.catalog import install
from engine.checkpoints import CheckpointFile, compare
from engine.codes import derive_key, read_secret
from engine.database import Database, DatabaseFault
from engine.depot import Depot
from engine.errors import BanjieError
from engine.factors import Factors
from engine.keys import Keyring
from engine.selftest import demand_fit
from engine.sessions import Limits
from engine.settings import Settings
from engine.signatures import SIGNING, Signer
from engine.store import open_store
from engine.telling import tell, told_of
from engine.walls import APP
from workflows import Prover, catalog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy.orm import Session

VERSION = "0.1.0"
LONGEST = 30
"""Seconds of a transaction; each statement of it has five."""
ROUTERS = (
    figures,
    reports,
    auth,
    credentials,
    tokens,
    staff_access,
    submissions,
    portal,
    questionnaires,
    items,
    reveals,
    erasures,
    foresight,
    attachments,
    stalls,
    referrals,
    messages,
    office,
    absences,
    rolls,
    workflows,
    calendar,
    clusters,
    log,
    practice,
    health,
)

UNPREPARED = (
    "数据库拒绝或连不上,请先运行 banjie migrate,并核对 BANJIE_DATABASE_URL。"
    "The database refused or cannot be reached; run `banjie migrate` first, and check BANJIE_DATABASE_URL."
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The counter of an office.

    Reads the settings from the environment where none are given. Raises DefinitionError where a
    workflow file is wrong, KeyFault where others may read the keys, ValueError where no database is
    named.
    """
    counter = _counter(settings or Settings())

    def furnish(session: Session) -> None:
        """Nobody is served by an unfit installation, nor by unknown workflows."""
        keys = [counter.settings.secret_path]
        demand_fit(session, keys, practice=counter.settings.sample)
        install(session, counter.casework.catalog)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        """Threads for all that the gate lets in and some for files; the workflows in the database."""
        current_default_thread_limiter().total_tokens = counter.settings.pool_size + 4
        with _telling_why():
            await run_sync(counter.database.perform, furnish)
            await run_sync(_compare_record, counter)
        yield
        counter.database.close()

    api = FastAPI(openapi_url=None, version=VERSION, redirect_slashes=False)
    app = FastAPI(openapi_url=None, version=VERSION, redirect_slashes=False, lifespan=life)
    for each in (api, app):
        each.state.counter = counter
        each.add_exception_handler(BanjieError, problems.refuse)
        each.add_exception_handler(RequestValidationError, problems.refuse_request)
        each.add_exception_handler(HTTPException, problems.refuse_plainly)
        each.add_exception_handler(Exception, problems.break_down)
    for room in ROUTERS:
        api.include_router(
            room.router, dependencies=[Depends(refuse_undeclared), Depends(refuse_strange_filters)]
        )
    app.include_router(pages.router)
    app.include_router(sign_on.router)
    app.include_router(receipts.router)
    app.include_router(health.router, include_in_schema=False)
    pages.serve_description(app, api)
    app.mount("/static", StaticFiles(directory=pages.STATIC))
    app.mount("/api/v1", api)
    app.add_middleware(
        Gate,
        places=counter.settings.pool_size,
        room=Room(counter.settings.home, counter.settings.disk_reserve << 20),
        host=urlsplit(counter.settings.public_url).hostname or "",
    )
    return app


@contextmanager
def _telling_why() -> Iterator[None]:
    """Say why nobody is served: the server below logs no words of what ends its start."""
    try:
        yield
    except BanjieError as error:
        sentence = UNPREPARED if isinstance(error, DatabaseFault) else str(error)
        tell("stopped", sentence=sentence, **told_of(error))
        raise


def _compare_record(counter: Counter) -> None:
    """Say loudly where the database is not the one whose checkpoints lie outside it."""
    with counter.database.transaction() as session:
        for fault in compare(session, counter.checkpoints.last()):
            tell("record.doubted", sentence=fault)


def _counter(settings: Settings) -> Counter:
    if settings.database_url is None:
        raise ValueError(
            "没有指定数据库。No database is named: set BANJIE_DATABASE_URL, or start with `make run`."
        )
    found = catalog(settings.workflows)
    secret = read_secret(settings.secret_path)
    keyring = Keyring(settings.keys_path)
    keyring.check()
    outward = "mail" if settings.smtp_url else "console"
    origins = Origins(settings)
    return Counter(
        settings=settings,
        database=Database(
            settings.database_url.get_secret_value(),
            settings.pool_size,
            role=APP,
            longest=LONGEST,
        ),
        casework=Casework(found, outward, settings.address, keyring=keyring),
        secret=secret,
        checkpoints=CheckpointFile(settings.checkpoints_path),
        signer=Signer(keyring.key(SIGNING, make=True)),
        cursors=Cursors(secret),
        gallery=workflows.Gallery(found),
        door=Door.of(settings, secret),
        prover=Prover(found),
        origins=origins,
        cookies=Cookies(origins, secret),
        factors=Factors(secret),
        limits=Limits(
            settings.session_lasts,
            settings.session_idle,
            settings.step_up,
            settings.factor_demand,
            derive_key(secret, "tokens of staff"),
        ),
        depot=Depot.of(settings, open_store(settings.store_url, settings.home)),
    )
