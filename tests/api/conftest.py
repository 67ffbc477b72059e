"""A counter over the real application, a migrated database and the sample office."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from adapters import sample
from api.main import create_app
from engine.database import Database
from engine.settings import Settings
from engine.walls import ENGINE, SYS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would rather have a client that is not out yet
    from starlette.testclient import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from httpx import Response

HERE = "http://127.0.0.1:8000"
"""Where the office is: it answers to no other name."""
SECRET_WORDS = "窗口收费不开票据,我的名字不能说出去"
NAME, PHONE = "欧阳不愿具名", "13800001234"
GRIEVANCE: dict[str, Any] = {
    "narrative": SECRET_WORDS,
    "respondent": "第一分局",
    "categories": ["M03"],
    "contact": {"name": NAME, "phone": PHONE},
}
ACCEPTANCE: dict[str, Any] = {
    "category_codes": ["M03"],
    "subject_officers_or_unknown": "unknown",
    "risk_level": "low",
}


@dataclass
class Desk:
    """Somebody at the counter, whoever the test says."""

    client: TestClient
    app: FastAPI
    url: str
    tokens: dict[str, str] = field(default_factory=dict)

    @cached_property
    def worker(self) -> Database:
        """A pool as the worker has one."""
        return Database(self.url, 2, role=ENGINE, principal=SYS)

    def headers(self, account: str, **more: str) -> dict[str, str]:
        """The headers of somebody who is logged in."""
        if account not in self.tokens:
            form = {"account": account, "password": sample.PASSWORD}
            self.tokens[account] = self.client.post("/api/v1/sessions", json=form).json()["token"]
        own = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self.tokens[account]}", **own}

    def look(self, account: str, path: str, **query: Any) -> Response:
        """GET as somebody."""
        answer: Response = self.client.get(
            f"/api/v1{path}", params=query, headers=self.headers(account)
        )
        return answer

    def send(self, account: str, path: str, body: Any, **headers: str) -> Response:
        """POST as somebody."""
        answer: Response = self.client.post(
            f"/api/v1{path}", json=body, headers=self.headers(account, **headers)
        )
        return answer

    def move(
        self, account: str, number: str, name: str, data: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """A transition that must succeed, on the item as it stands."""
        revision = self.one("SELECT revision FROM item WHERE number = %s", number)
        moved = self.send(
            account,
            f"/items/{number}/transitions/{name}",
            {"data": data or {}},
            If_Match=f'"{revision}"',
        )
        assert moved.status_code == 200, moved.text
        found: dict[str, Any] = moved.json()
        return found

    def submit(self, **data: Any) -> dict[str, str]:
        """A grievance through the public door: number and code."""
        form = {"workflow": "grievance", "data": {**GRIEVANCE, **data}}
        answer = self.client.post("/api/v1/submissions", json=form)
        assert answer.status_code == 201, answer.text
        found: dict[str, str] = answer.json()
        return found

    def one(self, statement: str, *values: object) -> Any:
        """The first column of the first row of the database."""
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            row = connection.execute(statement.encode(), values).fetchone()
        return next(iter(row.values())) if row else None


@pytest.fixture
def settings(app_url: str, home: Path) -> Settings:
    """A sample office's settings."""
    return Settings(home=home, database_url=SecretStr(app_url), sample=True, pool_size=4)


@pytest.fixture
def desk(settings: Settings, database_url: str) -> Iterator[Desk]:
    """The counter, open."""
    app = create_app(settings)
    counter = app.state.counter
    sample.load(counter.database, counter.casework)
    with TestClient(app, HERE, raise_server_exceptions=False) as client:
        found = Desk(client, app, database_url)
        yield found
        if "worker" in vars(found):
            found.worker.close()
