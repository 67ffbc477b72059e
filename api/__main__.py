"""The counter as a program: `python -m api`.

How uvicorn is started stands here and nowhere else, for the supervisor, the containers, the
benchmark and the tests. No access log: an address may hold what somebody searched for.
"""

from __future__ import annotations

import argparse
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from api.connections import Connection
from api.main import create_app
from engine.errors import BanjieError
from engine.hardening import harden
from engine.settings import Settings
from engine.telling import take_over, tell, told_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

MOST_CONNECTIONS = 1000
"""Of one process; above it a request is answered 503."""


def counter() -> FastAPI:
    """The application, in a process that keeps its secrets and speaks in lines of JSON.

    A start that is refused is told in one sentence; those sentences are ours and hold no secret.
    """
    harden()
    take_over("api")
    with _telling_why():
        app = create_app()
    tell("started")
    return app


@contextmanager
def _telling_why() -> Iterator[None]:
    """End with a sentence where the settings, a workflow file or the key are wrong."""
    try:
        yield
    except (BanjieError, ValueError) as error:
        tell("stopped", sentence=str(error), **told_of(error))
        raise SystemExit(1) from None


def main() -> None:
    """Serve until told to stop."""
    options = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    options.add_argument("--workers", type=int, default=1, help="processes")
    options.add_argument("--grace", type=int, default=10, help="seconds for requests to end")
    chosen = options.parse_args()
    harden()
    take_over("api")
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    with _telling_why():
        settings = Settings()
    uvicorn.run(
        "api.__main__:counter",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=chosen.workers,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=chosen.grace,
    )


if __name__ == "__main__":
    main()
