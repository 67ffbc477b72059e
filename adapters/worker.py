"""The worker: Celery runs what is due, PostgreSQL knows what is due.

Tasks without arguments, each of which asks the database; so whatever happens to Valkey (wiped,
killed, forged messages in it) costs at most a few seconds until the next beat, and a task that runs
twice or at once with itself does nothing twice. Nothing here has an ETA, a countdown, a retry or a
result: a task that fails is called again by the beat. Hints do not expire either: an expiry would
compare the clocks of two hosts, and the clock that is wrong would leave the worker deaf.

    celery --app adapters.worker worker --without-gossip --without-mingle --without-heartbeat
    celery --app adapters.worker beat

`banjie sweep`, `banjie deliver` and `banjie log` run the same functions without Celery.
"""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import redis
from celery import Celery
from celery.signals import setup_logging, worker_init, worker_ready

from engine.checkpoints import EVERY
from engine.errors import BanjieError
from engine.hardening import harden
from engine.selftest import demand_fit
from engine.settings import Settings
from engine.telling import take_over, tell, told_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine.casework import Casework
    from engine.database import Database
    from engine.openings import Openings
    from engine.outbox import Channel
    from engine.scanning import Scanner
    from engine.signatures import Signer
    from engine.store import Store

VISIBILITY = 300
"""Seconds after which Valkey gives an unfinished hint to another worker; far above any task's
limit, for a shorter one runs a task several times at once."""

QUEUE = "banjie"


class Rooms(NamedTuple):
    """What the tasks work with."""

    database: Database
    casework: Casework
    openings: Openings
    channels: Mapping[str, Channel]
    signer: Signer
    checkpoints: Path
    store: Store
    scanner: Scanner | None


def create_app(settings: Settings) -> Celery:
    """The Celery application of an installation, with its timetable."""
    broker = settings.redis_url
    app = Celery("banjie", broker=broker.get_secret_value() if broker else "redis://127.0.0.1:6379")
    app.conf.update(
        accept_content=["json"],
        beat_scheduler="celery.beat:Scheduler",  # intervals need no memory, so beat keeps no file
        beat_schedule={
            "sweep": {"task": "sweep", "schedule": 5.0},
            "tally": {"task": "tally", "schedule": 60.0},
            "deliver": {"task": "deliver", "schedule": 5.0},
            "append": {"task": "append", "schedule": 3.0},
            "publish": {"task": "publish", "schedule": float(EVERY)},
            "verify": {"task": "verify", "schedule": 300.0},
            "scan": {"task": "scan", "schedule": 5.0},
            "tidy": {"task": "tidy", "schedule": 3600.0},
            "depart": {"task": "depart", "schedule": 3600.0},
        },
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": VISIBILITY,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 5,
            "socket_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 5,
        },
        task_acks_late=True,
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_reject_on_worker_lost=True,
        task_send_sent_event=False,
        task_soft_time_limit=45,
        task_time_limit=60,
        timezone="Asia/Shanghai",
        visibility_timeout=VISIBILITY,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_concurrency=2,
        worker_enable_remote_control=False,  # who can write to Valkey must not command the worker
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_soft_shutdown_timeout=20,
    )
    app.task(name="sweep")(sweep)
    app.task(name="tally")(tally)
    app.task(name="deliver")(deliver)
    app.task(name="append")(append)
    app.task(name="publish")(publish)
    app.task(name="verify")(verify)
    app.task(name="scan")(scan)
    app.task(name="tidy")(tidy)
    app.task(name="depart")(depart)
    return app


def sweep() -> None:
    """Begin what opens this month, and climb every rung that is due."""
    from engine import reveals, stalls

    rooms = open_rooms()
    if opened := rooms.openings.sweep():
        tell("opening.done", count=opened)
    if lapsed := reveals.lapse(rooms.database, rooms.casework):
        tell("reveals.lapsed", count=lapsed)
    if climbed := stalls.sweep(rooms.database, rooms.casework):
        tell("sweep.done", rungs=climbed)


def tally() -> None:
    """Once a day, begin an analysis of what comes in too often; whoever comes later finds it done."""
    from engine.clusters import tally_daily

    rooms = open_rooms()
    if begun := tally_daily(rooms.database, rooms.casework):
        tell("tally.done", count=begun)


def deliver() -> None:
    """Send every message that is due."""
    from engine import outbox

    rooms = open_rooms()
    texts = rooms.casework.catalog.texts
    done = outbox.deliver(rooms.database, rooms.channels, texts)
    if any(done):
        tell("deliver.done", sent=done.sent, retried=done.retried, dead=done.dead)


def append() -> None:
    """Append new events to the log."""
    from engine.log import sequence

    sequence(open_rooms().database)


def publish() -> None:
    """Sign the log where it grew; loudly refuse where it is not the log that was signed before."""
    from engine.checkpoints import publish as sign

    rooms = open_rooms()
    # a beat that comes a little early signs all the same
    _, faults = sign(rooms.database, rooms.signer, rooms.checkpoints, every=EVERY / 2)
    for fault in faults:
        tell("record.doubted", sentence=fault)


def verify() -> None:
    """Verify some of the items, drawn anew each time, and say loudly what is wrong."""
    from engine.verification import spot_check

    rooms = open_rooms()
    for fault in spot_check(rooms.database, rooms.casework.catalog):
        tell("record.doubted", sentence=fault)


def scan() -> None:
    """Scan the attachments that wait, and remove the files that belong to nothing."""
    from engine import scanning
    from engine.depot import sweep_strays

    rooms = open_rooms()
    done = scanning.scan(rooms.database, rooms.store, rooms.casework, rooms.scanner)
    if any(done):
        tell("scan.done", passed=done.passed, infected=done.infected, failed=done.failed)
    if swept := sweep_strays(rooms.database, rooms.store):
        tell("store.swept", count=swept)


def tidy() -> None:
    """Delete what nobody needs any more, a thousand rows at a time."""
    from engine import erasures
    from engine.database import execute
    from engine.tries import OLD_PROOFS, OLD_TRIES

    rooms = open_rooms()
    done = erasures.sweep(rooms.database, rooms.casework)
    if any(done):
        tell("erase.done", restricted=done.restricted, shredded=done.shredded, held=done.held)
    nobodys = (
        _OLD_ANSWERS,
        _OLD_LOGINS,
        _OLD_VISITS,
        OLD_TRIES,
        OLD_PROOFS,
        _OLD_GUESSES,
    )
    for statement in nobodys:
        deleted = 1
        while deleted:
            with open_rooms().database.transaction() as session:
                deleted = execute(session, statement).rowcount


def depart() -> None:
    """Hand over what leavers held whose day has come; each hour, for a beat has no memory of days."""
    from engine.administration import leaving

    rooms = open_rooms()
    if gone := leaving.depart_all(rooms.database, rooms.casework):
        tell("depart.done", count=gone)


@cache
def open_rooms() -> Rooms:
    """Read the workflows and the settings once a process.

    No connection is opened here, so that children forked later do not share one.
    """
    import workflows
    from adapters import channels
    from adapters.clamd import Clamd
    from engine.casework import Casework
    from engine.database import Database
    from engine.keys import Keyring
    from engine.openings import Openings
    from engine.signatures import SIGNING, Signer
    from engine.store import open_store
    from engine.walls import ENGINE, SYS

    settings = Settings()
    if settings.database_url is None:
        raise BanjieError(
            "没有设置数据库地址。Set BANJIE_DATABASE_URL (`banjie run` does it for you)."
        )
    keyring = Keyring(settings.keys_path)
    keyring.check()
    database = Database(
        settings.database_url.get_secret_value(),
        settings.pool_size,
        role=ENGINE,
        principal=SYS,
    )
    casework = Casework(
        workflows.catalog(settings.workflows),
        outward="mail" if settings.smtp_url else "console",
        public_url=settings.address,
        keyring=keyring,
    )
    return Rooms(
        database,
        casework,
        Openings(database, casework),
        channels(settings),
        Signer(keyring.key(SIGNING, make=True)),
        settings.checkpoints_path,
        open_store(settings.store_url, settings.home),
        Clamd(settings.clamd_url) if settings.clamd_url else None,
    )


@worker_init.connect
def _open_early(**_: Any) -> None:
    """Open the rooms before the children are forked: they share the memory, and a fault in a
    workflow file stops the worker at its start.
    """
    try:
        rooms = open_rooms()
        settings = Settings()
        with rooms.database.transaction() as session:
            demand_fit(session, [settings.secret_path], practice=settings.sample)
        rooms.database.close()  # a child must not inherit the connection
    except (BanjieError, ValueError) as error:
        tell("stopped", sentence=str(error), **told_of(error))
        raise SystemExit(1) from None
    _clear_hints()
    gc.collect()
    gc.freeze()


def _clear_hints() -> None:
    """Begin with an empty queue: no hint is worth keeping, and kombu ends the worker over every one
    that it cannot read, so that a queue of nonsense would mean as many restarts.
    """
    with (
        suppress(redis.RedisError),  # Valkey is away: the worker waits for it
        redis.Redis.from_url(app.conf.broker_url, socket_timeout=5) as valkey,
    ):
        valkey.delete(QUEUE, f"_kombu.binding.{QUEUE}", "unacked", "unacked_index")


@setup_logging.connect
def _speak(**_: Any) -> None:
    """Log in our own form: that anybody listens to this signal keeps Celery from doing it in its."""
    harden()
    take_over("beat" if "beat" in sys.argv else "worker")
    tell("started")


@worker_ready.connect
def _say_ready(**_: Any) -> None:
    tell("worker.ready")


_OLD_ANSWERS = """
DELETE FROM answer WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM answer WHERE created_at < now() - interval '7 days' LIMIT 1000))
"""

_OLD_LOGINS = """
DELETE FROM login WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM login WHERE expires_at < now() LIMIT 1000))
"""

_OLD_VISITS = """
DELETE FROM portal_session WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM portal_session WHERE expires_at < now() LIMIT 1000))
"""

_OLD_GUESSES = """
DELETE FROM throttle WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM throttle WHERE failed_at < now() - interval '1 day' LIMIT 1000))
"""

app = create_app(Settings())
