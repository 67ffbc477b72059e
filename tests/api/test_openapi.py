"""The OpenAPI document: an example of everything that goes in or comes out, and each one right."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from api.examples import TRACKED
from api.examples_office import DUE_DATE
from api.openapi import describe
from tests.api.conftest import ACCEPTANCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.conftest import Desk

JSON = "application/json"


@pytest.fixture
def document(desk: Desk) -> dict[str, Any]:
    """A copy, its schemas closed: a member that no schema declares is wrong in an example."""
    copy = deepcopy(describe(desk.app.routes[-1].app))  # type: ignore[attr-defined]
    for schema in copy["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return copy


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"{method} {path}", operation


def _bodies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of JSON that an operation takes, or answers with where all is well."""
    for place, operation in _operations(document):
        told = {s: answer for s, answer in operation["responses"].items() if s < "300"}
        for name, body in {"body": operation.get("requestBody", {}), **told}.items():
            if JSON in body.get("content", {}):
                reference = body["content"][JSON]["schema"]["$ref"]
                schema = document["components"]["schemas"][reference.rpartition("/")[2]]
                yield f"{place} {name}", schema


def _example(schema: dict[str, Any]) -> Any:
    """The example of a schema, or the one its members' examples make."""
    if schema.get("examples"):
        return schema["examples"][0]
    return {
        name: member["examples"][0]
        for name, member in schema.get("properties", {}).items()
        if member.get("examples")
    }


def _schemas(node: Any, place: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema with examples, wherever it is."""
    if isinstance(node, dict):
        if isinstance(node.get("examples"), list):
            yield place, node
        for name, child in node.items():
            if name not in {"examples", "example", "default"}:
                yield from _schemas(child, f"{place}/{name}")
    elif isinstance(node, list):
        for at, child in enumerate(node):
            yield from _schemas(child, f"{place}/{at}")


def _faults(document: dict[str, Any], schema: dict[str, Any], example: Any) -> list[str]:
    whole = {**schema, "components": document["components"]}
    checker = jsonschema_rs.validator_for(whole, validate_formats=True)
    return [f"{fault.instance_path}: {fault.message}" for fault in checker.iter_errors(example)]


def test_every_operation_and_parameter_is_explained(document: dict[str, Any]) -> None:
    """Operations have a description; parameters of path and query have an example."""
    bare = [place for place, operation in _operations(document) if not operation.get("description")]
    for place, operation in _operations(document):
        bare += [
            f"{place} {parameter['name']}"
            for parameter in operation.get("parameters", [])
            if parameter["in"] in {"path", "query"} and not parameter["schema"].get("examples")
        ]
    assert bare == []


def test_every_body_has_an_example_that_fits(document: dict[str, Any]) -> None:
    """What goes in and what comes out where all is well, with every member it must have."""
    bodies = list(_bodies(document))
    assert len(bodies) > 25
    faults = {
        place: found
        for place, schema in bodies
        if (found := _faults(document, schema, _example(schema)) if _example(schema) else ["none"])
    }
    assert faults == {}


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    """Wherever the document gives an example, of a member or a parameter too, it is valid."""
    schemas = list(_schemas(document))
    assert len(schemas) > 50
    faults = {
        place: found
        for place, schema in schemas
        for example in schema["examples"]
        if (found := _faults(document, schema, example))
    }
    assert faults == {}


def test_examples_are_what_the_office_answers(desk: Desk, document: dict[str, Any]) -> None:
    """The due date of the two examples is that of the calendar; who tracks finds those members."""
    asked = {
        parameter["name"]: parameter["schema"]["examples"][0]
        for parameter in document["paths"]["/calendar/due"]["get"]["parameters"]
    }
    assert desk.look("intake", "/calendar/due", **asked).json() == DUE_DATE
    receipt = desk.submit()
    desk.move("intake", receipt["number"], "register")
    desk.move("unit_head", receipt["number"], "accept", ACCEPTANCE)
    ask = {"reason": "须当面核实"}
    desk.send("unit_head", f"/items/{receipt['number']}/reveals", ask, If_Match='"3"')
    shown = desk.client.post("/api/v1/submissions/track", json=receipt).json()
    assert _members(shown) == _members(TRACKED)


def _members(value: Any) -> Any:
    """The names in an answer, of a list those of its first row."""
    if isinstance(value, dict):
        return {name: _members(member) for name, member in value.items()}
    return _members(value[0]) if isinstance(value, list) and value else None
