"""What a form takes: every field type good and bad, told with a pointer and never with the value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from engine.definition import Transition, Workflow
from engine.errors import Invalid
from engine.fieldspecs import FieldSpec
from engine.forms import Accepted, accept, holds, missing, note_text
from engine.people import Office, PersonEntry, UnitEntry

NAUGHTY = Path(__file__).parents[2].parent / "shared" / "data" / "naughty" / "blns.json"
UNITS = {
    1: UnitEntry(1, "BUR", "市局", ("bureau",), None),
    2: UnitEntry(2, "BR1", "第一分局", ("一分局",), 1),
}
PEOPLE = {each: PersonEntry(each, f"p{each}", "某", 2, None, None, None) for each in range(1, 60)}
OFFICE = Office(1, UNITS, PEOPLE, {}, (), ())
TYPES: dict[str, dict[str, Any]] = {
    **{name: {} for name in ("text", "long_text", "texts", "unit", "person", "people", "boolean")},
    **{name: {} for name in ("number", "date", "moment", "item")},
    "contact": {"personal": True},
    "choice": {"choices": {"a": "甲", "b": "乙"}},
    "choices": {"choices": {"a": "甲", "b": "乙"}},
    "records": {"columns": {"place": "地点", "note": "备注"}},
    "some": {"type": "people", "or_unknown": True},
    "secret": {"type": "long_text", "personal": True},
    "accused": {"type": "people", "duty": "accused"},
    "stamped": {"type": "moment", "derived": "received_at"},
}
TITLES = {"title": "某", "title_en": "Some"}


def workflow(requires: tuple[str, ...] = (), known: tuple[str, ...] = ()) -> Workflow:
    """A workflow with a field of every type, all of them optional in its one act."""
    role = {"clerk": TITLES}
    fields = {name: TITLES | {"type": name} | more for name, more in TYPES.items()}
    submit = TITLES | {"to": "done", "by": ["clerk"], "optional": list(TYPES)}
    submit |= {"requires": list(requires), "known": list(known)}
    return Workflow.model_validate(
        TITLES
        | {"workflow": "form", "version": "1", "number": "表", "initial": "done", "roles": role}
        | {"fields": fields, "states": {"done": TITLES | {"final": "true"}}}
        | {"transitions": {"submit": submit}}
    )


FORM = workflow()
ACT: Transition = FORM.transitions["submit"][0]


def taken(given: dict[str, Any], form: Workflow = FORM, held: tuple[str, ...] = ()) -> Accepted:
    """What the form makes of values."""
    return accept(form, form.transitions["submit"][0], given, held, OFFICE)


GOOD: list[tuple[str, Any, Any]] = [
    ("text", "一行", "一行"),
    ("text", "字" * 200, "字" * 200),
    ("text", " 前后有空格 ", " 前后有空格 "),
    ("text", "👨\u200d👩\u200d👧 𠮷 e\u0301", "👨\u200d👩\u200d👧 𠮷 e\u0301"),
    ("long_text", "两\n行\r\n\t缩进", "两\n行\r\n\t缩进"),
    ("long_text", "字" * 20_000, "字" * 20_000),
    ("texts", ["照片", "合同"], ["照片", "合同"]),
    ("texts", "一行", ["一行"]),
    ("texts", ["x"] * 50, ["x"] * 50),
    ("choice", "a", "a"),
    ("choices", ["b", "a", "b"], ["b", "a"]),
    ("choices", "a", ["a"]),
    ("unit", "BR1", "BR1"),
    ("unit", " 第一分局 ", "BR1"),
    ("unit", "一分局", "BR1"),
    ("person", "p1", "p1"),
    ("person", ["p1"], "p1"),
    ("people", ["p1", "p2", "p1"], ["p1", "p2"]),
    ("people", "p1", ["p1"]),
    ("some", "unknown", "unknown"),
    ("some", ["unknown"], "unknown"),
    ("some", ["p3"], ["p3"]),
    ("boolean", True, True),
    ("boolean", False, False),
    ("number", 0, 0),
    ("number", 1_000_000_000, 1_000_000_000),
    ("date", "2026-02-28", "2026-02-28"),
    ("date", "2028-02-29", "2028-02-29"),
    ("moment", "2026-02-28T09:30:00+08:00", "2026-02-28T09:30:00+08:00"),
    ("moment", "2026-02-28T01:30:00Z", "2026-02-28T01:30:00+00:00"),
    ("item", "执诉2026-0000000001", "执诉2026-0000000001"),
    ("contact", {"name": "柳", "phone": ""}, {"name": "柳"}),
    ("records", [{"place": "东大街"}, {"note": "x"}], [{"place": "东大街"}, {"note": "x"}]),
]
BAD: list[tuple[str, Any]] = [
    ("text", 5),
    ("text", ["x"]),
    ("text", {"x": 1}),
    ("text", True),
    ("text", "字" * 201),
    ("text", "a\x00b"),
    ("text", "\x1b[31m"),
    ("text", "\x7f"),
    ("text", "a\x85b"),
    ("text", "\ud800"),
    ("long_text", "字" * 20_001),
    ("long_text", "\udfff"),
    ("texts", ["x"] * 51),
    ("texts", [5]),
    ("texts", ["字" * 2001]),
    ("texts", {"0": "x"}),
    ("choice", "c"),
    ("choice", ["a", "b"]),
    ("choice", 1),
    ("choices", ["a", "c"]),
    ("choices", [["a"]]),
    ("choices", {"a": "b"}),
    ("unit", "第九分局"),
    ("unit", 2),
    ("unit", ["BR1"]),
    ("person", "p99"),
    ("person", ["p1", "p2"]),
    ("person", 1),
    ("person", "unknown"),
    ("people", ["p1", "p99"]),
    ("people", ["p1", None]),
    ("people", [["p1"]]),
    ("people", [f"p{each % 59 + 1}" for each in range(51)]),
    ("people", "unknown"),
    ("some", ["unknown", "p1"]),
    ("boolean", "是的"),
    ("boolean", 1),
    ("number", -1),
    ("number", 1_000_000_001),
    ("number", 1.0),
    ("number", "5"),
    ("number", True),
    ("date", "2026-02-29"),
    ("date", "2026-2-3"),
    ("date", "20260203"),
    ("date", "2026-W06-2"),
    ("date", "1999-12-31"),
    ("date", "2101-01-01"),
    ("date", "２０２６-02-03"),
    ("date", "2026-02-03T00:00:00Z"),
    ("date", 20260203),
    ("moment", "2026-02-28T09:30:00"),
    ("moment", "2026-02-28"),
    ("moment", "1999-02-28T09:30:00Z"),
    ("moment", "2101-02-28T09:30:00Z"),
    ("moment", 1772242200),
    ("item", 5),
    ("item", "字" * 201),
    ("contact", "柳如烟"),
    ("contact", {"wechat": "x"}),
    ("contact", {"name": 5}),
    ("contact", {"name": "字" * 61}),
    ("contact", {"phone": "1" * 41}),
    ("contact", [["柳如烟", "x"]]),
    ("records", {"place": "x"}),
    ("records", ["x"]),
    ("records", [{"price": "x"}]),
    ("records", [{"place": 5}]),
    ("records", [{"place": "x"}] * 501),
    ("stamped", "2020-01-01T00:00:00Z"),
    ("no_such_field", "x"),
]


@pytest.mark.parametrize(("name", "value", "kept"), GOOD)
def test_a_good_value_is_taken_as_its_type_says(name: str, value: Any, kept: Any) -> None:
    """Kept in the one form the type has, and fit to be written as JSON."""
    found = taken({name: value}).plain | taken({name: value}).personal
    assert found == {name: kept} or name == "contact"
    assert found[name] == kept
    assert orjson.loads(orjson.dumps(found)) == found


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_refused_with_a_pointer_and_without_repeating_it(
    name: str, value: Any
) -> None:
    """One complaint, its pointer that of the field, its sentence in both languages."""
    with pytest.raises(Invalid) as caught:
        taken({name: value})
    errors: Any = caught.value.members["errors"]
    shown = name if name in FORM.fields else "?"
    assert [error["pointer"] for error in errors] == [f"/data/{shown}"]
    sentence = errors[0]["detail"]
    assert any("\u4e00" <= char <= "\u9fff" for char in sentence)
    assert any("a" <= char <= "z" for char in sentence)
    for part in strings(value):
        assert len(part) < 4 or part not in sentence
    orjson.dumps(errors)


def test_whoever_chooses_wrongly_hears_what_each_choice_means() -> None:
    """A citizen is not left with codes."""
    with pytest.raises(Invalid) as caught:
        taken({"choice": "c"})
    errors: Any = caught.value.members["errors"]
    assert errors[0]["detail"] == "应从下列各项中选择 (choose from): a（甲）, b（乙）"


def strings(value: Any) -> list[str]:
    """Every string in a value."""
    if isinstance(value, dict):
        return [each for pair in value.items() for part in pair for each in strings(part)]
    if isinstance(value, list):
        return [each for part in value for each in strings(part)]
    return [value] if isinstance(value, str) else []


def test_every_type_has_a_good_and_a_bad_value() -> None:
    """No type is taken on trust."""
    types = {spec.type for spec in FORM.fields.values()}
    assert types <= {FORM.fields[name].type for name, _, _ in GOOD}
    assert types <= {FORM.fields[name].type for name, _ in BAD if name in FORM.fields}


@pytest.mark.parametrize("empty", [None, "", "  \n", "\u3000", [], {}, [""], ["", " "], [None]])
def test_an_empty_value_is_no_value(empty: Any) -> None:
    """What is blank is not kept, and does not do where something is needed."""
    assert taken({"texts": empty}).all == {}
    with pytest.raises(Invalid, match="/data/texts"):
        taken({"texts": empty}, workflow(requires=("texts",)))


def test_all_complaints_come_at_once() -> None:
    """Three faults, three pointers."""
    with pytest.raises(Invalid) as caught:
        taken({"text": 5, "colour": "red"}, workflow(requires=("date",)))
    errors: Any = caught.value.members["errors"]
    assert {error["pointer"] for error in errors} == {"/data/text", "/data/?", "/data/date"}


@pytest.mark.parametrize("name", ["a/b", "~", "x" * 500, "\ud800", "a\nb", "<script>", "../.."])
def test_a_made_up_field_name_is_not_repeated(name: str) -> None:
    """Whatever the name, the pointer shows a question mark: a name somebody made up may be a name."""
    with pytest.raises(Invalid) as caught:
        taken({name: "x"})
    errors: Any = caught.value.members["errors"]
    assert errors[0]["pointer"] == "/data/?"
    orjson.dumps(errors)


def test_known_fields_may_have_been_given_before() -> None:
    """`requires` wants a value in this act, `known` now or earlier."""
    form = workflow(requires=("text",), known=("date",))
    act = form.transitions["submit"][0]
    assert missing(act, {}, []) == ["text", "date"]
    assert missing(act, {"text": "x"}, ["date"]) == []
    assert missing(act, {"text": "x", "date": ""}, ["text"]) == ["date"]
    assert taken({"text": "x"}, form, ("date",)).plain == {"text": "x"}


def test_personal_values_and_people_are_kept_apart() -> None:
    """The plain, the personal and the named each have their place; the accused take no part."""
    found = taken({"secret": "x", "text": "y", "people": ["p1", "p2"], "accused": ["p3"]})
    assert found.personal == {"secret": "x"}
    assert "secret" not in found.plain
    assert found.named == {"people": [1, 2], "accused": [3]}
    assert found.people == (1, 2)


@pytest.mark.parametrize(
    ("when", "values", "held"),
    [
        ({}, {}, True),
        ({"x": ("a",)}, {"x": "a"}, True),
        ({"x": ("a", "b")}, {"x": "b"}, True),
        ({"x": ("a",)}, {"x": ["b", "a"]}, True),
        ({"x": ("a",)}, {"x": "b"}, False),
        ({"x": ("a",)}, {}, False),
        ({"x": ("true",)}, {"x": True}, True),
        ({"x": ("false",)}, {"x": True}, False),
        ({"x": ("a",), "y": ("b",)}, {"x": "a"}, False),
    ],
)
def test_a_condition_holds_or_not(
    when: dict[str, tuple[str, ...]], values: dict[str, Any], *, held: bool
) -> None:
    """Every field must hold or contain one of its values."""
    assert holds(when, values) is held


@pytest.mark.skipif(not NAUGHTY.exists(), reason="the list of naughty strings is not here")
def test_naughty_strings_are_kept_as_they_are_or_refused() -> None:
    """Each of some 500 strings through every text type: the very same text, or Invalid."""
    words = json.loads(NAUGHTY.read_text("utf-8"))
    assert len(words) > 500
    names = [n for n, spec in FORM.fields.items() if not spec.derived]
    for word in words:
        for name in names:
            try:
                found = taken({name: word}).all
            except Invalid as error:
                orjson.dumps(error.members)
                continue
            if FORM.fields[name].type in {"text", "long_text", "item"} and found:
                assert found == {name: word}
            orjson.dumps(found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@examples(name=st.sampled_from([*TYPES, "other"]), value=JSON)
def test_no_json_at_all_is_more_than_invalid(name: str, value: Any) -> None:
    """Whatever is sent for whatever field, the answer is a value or Invalid."""
    try:
        orjson.dumps(taken({name: value}).all)
    except Invalid as error:
        orjson.dumps(error.members)


@examples(st.text())
def test_a_note_is_kept_or_refused(text: str) -> None:
    """The text of a note is the very same text, fit for JSON, or Invalid."""
    try:
        assert note_text(text) == text
    except Invalid:
        return
    orjson.dumps(text)


def test_a_spec_belongs_to_its_type() -> None:
    """A field that contradicts itself is no field."""
    for wrong in (
        {"type": "choice"},
        {"type": "text", "choices": {"a": "甲"}},
        {"type": "records"},
        {"type": "text", "duty": "accused"},
        {"type": "person", "or_unknown": True},
    ):
        with pytest.raises(ValueError, match=r"belong|bear|needed"):
            FieldSpec.model_validate(TITLES | wrong)
