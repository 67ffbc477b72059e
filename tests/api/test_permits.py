"""Every address has a line that says who may call it, and the line is kept (T24, T26)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from adapters.sample import PEOPLE
from api import forms
from api.gate import JSON, TABLES
from api.main import ROUTERS
from api.permits import ANYONE, PERMITS, Permit
from engine.sessions import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.conftest import Desk

FILLED = {
    "{number}": "x",
    "{name}": "x",
    "{account}": "handler1",
    "{id}": "5b0f8a2e-31c4-4a0e-9d7c-6f2f0b1f8a11",
}


def routes() -> Iterator[str]:
    """Every address of the API with its method, as PERMITS names them."""
    for room in ROUTERS:
        for route in room.router.routes:
            assert isinstance(route, APIRoute)
            yield from (f"{method} {route.path}" for method in sorted(route.methods or ()))


def address(place: str) -> tuple[str, str]:
    """A method and a real address for a line of PERMITS."""
    method, path = place.split(" ")
    filled = re.sub(r"\{\w+\}", lambda found: FILLED.get(found[0], "x"), path)
    return method, f"/api/v1{filled}"


def ask(desk: Desk, place: str, headers: dict[str, str]) -> Any:
    """Call an address with an empty body."""
    method, path = address(place)
    kind, _ = TABLES.get(path, (JSON, 0))
    body = "{}" if method in {"POST", "PUT", "PATCH"} else ""
    more = {"If-Match": '"1"', "Content-Type": kind}
    return desk.client.request(method, path, headers={**headers, **more}, content=body)


def test_every_route_has_a_line_and_every_line_a_route() -> None:
    """Whoever adds an endpoint says who may call it; a line of an endpoint that went goes too."""
    found = set(routes())
    assert found - PERMITS.keys() == set(), "api/permits.py has no line for these"
    assert PERMITS.keys() - found == set(), "api/permits.py has lines for what is gone"


def test_a_line_names_known_scopes_and_roles() -> None:
    """What a line demands exists."""
    roles = {role for person in PEOPLE for role, _ in person.roles}
    for place, permit in PERMITS.items():
        assert permit.scope is None or permit.scope in get_args(Scope), place
        assert set(permit.roles) <= roles, place


def test_an_address_without_a_line_refuses_everybody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deny by default: even what was open to anyone is shut once its line is gone."""
    for place in ("GET /items", "GET /workflows"):
        monkeypatch.delitem(PERMITS, place)
        assert ask(desk, place, desk.headers("admin")).status_code == 403


def test_everything_wants_a_login_but_what_is_open_to_anyone(desk: Desk) -> None:
    """A stranger and a wrong token get 401 (a wrong token only where the request is in order)."""
    asked = 0
    for place, permit in PERMITS.items():
        if permit is ANYONE:
            continue
        assert ask(desk, place, {}).status_code == 401, place
        nonsense = ask(desk, place, {"Authorization": "Bearer nonsense"})
        assert nonsense.status_code in {401, 422}, (place, nonsense.text)
        asked += 1
    assert asked >= 30


ONLY = {place: permit for place, permit in PERMITS.items() if permit.roles}
BODIES: dict[str, dict[str, Any]] = {
    "POST /office/people/{account}/tokens": {"name": "x", "scopes": ["read"]}
}


def test_what_is_for_a_role_refuses_every_other_role(desk: Desk) -> None:
    """Every such address for one account of each set of roles without that role."""
    sets = {frozenset(role for role, _ in person.roles): person.account for person in PEOPLE}
    asked = 0
    for place, permit in ONLY.items():
        method, path = address(place)
        body = {"json": BODIES[place]} if place in BODIES else {}
        for held, account in sets.items():
            if held & set(permit.roles):
                continue
            headers = desk.headers(account, If_Match='"1"')
            answer = desk.client.request(method, path, headers=headers, **body)
            # 404: to them there is no such address; 422: the body is read first
            assert answer.status_code in {403, 404, 422}, (place, account, answer.text)
            asked += 1
    assert asked > 8 * len(ONLY) > 0


def test_the_table_has_few_kinds_of_lines() -> None:
    """A line is anyone's, staff's, or of roles; only lines for staff have a scope."""
    for place, permit in PERMITS.items():
        assert isinstance(permit, Permit)
        assert permit.scope is None or permit.to == "staff", place


def test_no_body_takes_a_member_it_does_not_declare() -> None:
    """Mass assignment: every model that is read from a request is closed, with every name of a column
    tried (T25).
    """
    from engine.models import Base

    columns = {column.name for table in Base.metadata.tables.values() for column in table.columns}
    closed = 0
    for room in ROUTERS:
        for route in room.router.routes:
            assert isinstance(route, APIRoute)
            for field in route.dependant.body_params:
                model = field.field_info.annotation
                assert isinstance(model, type)
                assert issubclass(model, forms.Form), route.path
                for strange in columns - model.model_fields.keys():
                    with pytest.raises(ValidationError) as caught:
                        model.model_validate({strange: 1})
                    kinds = {fault["type"] for fault in caught.value.errors()}
                    assert "extra_forbidden" in kinds, (model, strange)
                closed += 1
    assert closed > 15
    for model in vars(forms).values():
        if isinstance(model, type) and issubclass(model, forms.Form):
            assert model.model_config["extra"] == "forbid", model
            assert issubclass(model, BaseModel)
