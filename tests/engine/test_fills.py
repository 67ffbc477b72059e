"""What the system computes for an act is taken like what is given, and only where a file asks for it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from engine.catalog import Catalog, digest, install, read_catalog
from engine.errors import DefinitionError, GuardRefused, Invalid
from engine.fills.filling import FILLS, Filling, fill
from engine.guards import GUARDS
from engine.people import PUBLIC, SYS
from tests.casebook import PERMITS
from workflows import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from engine.machine import Fill
    from tests.casebook import Casebook

AT_THE_CHECK = (
    "    to: deciding\n    by: [handler]\n",
    "    to: deciding\n    by: [handler]\n    fill: {}\n",
)
AT_THE_BEGINNING = ("    requires: [wish]\n", "    requires: [wish]\n    fill: {}\n")
AT_THE_URGENT = (
    "to: received, by: [sys]}",
    "to: received, by: [sys], optional: [place], fill: {}}}",
)


@pytest.fixture
def registry() -> Iterator[dict[str, Fill]]:
    """The functions of these tests, registered as any other and gone afterwards."""
    before = dict(FILLS)

    @fill("opinion", "place")
    def what_the_log_says(filling: Filling) -> Mapping[str, Any]:
        assert filling.dossier is not None
        told = f"{filling.dossier.number}: {filling.given.get('opinion', '')}{len(filling.held)}"
        return {"opinion": f"{told} {filling.now:%Y-%m-%d}", "place": ""}

    @fill("place", "respondent")
    def where_it_begins(filling: Filling) -> Mapping[str, Any]:
        assert filling.dossier is None
        row = filling.session.connection().exec_driver_sql("SELECT count(*) FROM unit").scalar()
        return {"place": f"{filling.held['channel']} {row}", "respondent": "第一分局"}

    @fill("place")
    def where_it_is(_: Filling) -> Mapping[str, Any]:
        return {"place": "许昌"}

    @fill("place")
    def beyond_its_word(_: Filling) -> Mapping[str, Any]:
        return {"opinion": "好"}

    @fill("place")
    def too_long(_: Filling) -> Mapping[str, Any]:
        return {"place": "长" * 201}

    yield FILLS
    FILLS.clear()
    FILLS.update(before)


def law(folder: Path, registry: Mapping[str, Fill], edit: tuple[str, str], name: str) -> Catalog:
    """The permit workflows with one transition filled."""
    shutil.copytree(PERMITS, folder)
    path, (old, new) = folder / "permit.yaml", edit
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(
        text.replace(old, new.format(name)).replace("version: 1", "version: 2"), "utf-8"
    )
    return read_catalog(folder, GUARDS, registry)


@pytest.fixture
def under(book: Casebook, tmp_path: Path, registry: dict[str, Fill]) -> Any:
    """Put the office under the permit workflows with one transition filled."""

    def put(edit: tuple[str, str], name: str) -> None:
        book.casework.catalog = law(tmp_path / "law", registry, edit, name)
        book.do(lambda s: install(s, book.casework.catalog))

    return put


def test_what_is_computed_is_kept_like_what_is_given(book: Casebook, under: Any) -> None:
    """The journal and the item hold it; a person's own words for it are only read."""
    under(AT_THE_CHECK, "what_the_log_says")
    number = book.assigned(place="老城")
    held = len(book.item(number)["data"])
    book.go(number, "check", "handler1", opinion="可", place="新城")
    told = f"{number}: 可{held} 2026-03-02"
    assert book.events(number)[-1]["data"] == {"opinion": told}
    assert book.item(number)["data"]["opinion"] == told
    assert book.item(number)["data"]["place"] == "老城"  # computed empty: nothing new is told


def test_nobody_has_to_give_what_is_computed(book: Casebook, under: Any) -> None:
    """The act is open without it, and says so beforehand."""
    under(AT_THE_CHECK, "what_the_log_says")
    number = book.assigned()
    options = book.do(
        lambda s: book.casework.available(book.casework.look(s, number, SYS), book.who("handler1"))
    )
    check = next(option for option in options if option.transition == "check")
    assert check.missing == []
    assert book.go(number, "check", "handler1").state == "deciding"


def test_an_item_may_begin_with_what_is_computed(book: Casebook, under: Any) -> None:
    """What it holds decides where it goes: the people of the unit computed may not see it."""
    under(AT_THE_BEGINNING, "where_it_begins")
    number = book.submit(by=PUBLIC, place="别处").number
    item = book.item(number)
    assert item["data"]["place"].startswith("staff ")
    assert item["data"]["respondent"] == "BR1"
    assert item["subject_unit_id"] is not None


def test_the_system_computes_for_itself(book: Casebook, under: Any) -> None:
    """A transition that only the system makes has values too."""
    under(AT_THE_URGENT, "where_it_is")
    number = book.submit(urgency="urgent").number
    assert book.events(number)[-1]["act"] == "flag_urgent"
    assert book.item(number)["data"]["place"] == "许昌"


def test_guards_are_asked_about_what_was_computed(book: Casebook, under: Any) -> None:
    """The function comes first: whoever it names must be fit for it."""

    @fill("handlers", "declarations_signed")
    def whoever_is_there(_: Filling) -> Mapping[str, Any]:
        return {"handlers": ["handler1"], "declarations_signed": True}

    assert whoever_is_there.__name__ in FILLS
    under(
        ("    requires: [handlers, declarations_signed]\n    optional: [officers]\n",
         "    requires: [handlers, declarations_signed]\n    optional: [officers]\n    fill: {}\n"),
        "whoever_is_there",
    )  # fmt: skip
    number = book.submit().number
    book.refused(GuardRefused, lambda: book.go(number, "assign", "unit_head"), "不得少于两人")


@pytest.mark.parametrize(("name", "error"), [("beyond_its_word", KeyError), ("too_long", Invalid)])
def test_a_function_keeps_to_its_word_and_to_the_file(
    book: Casebook, under: Any, name: str, error: type[Exception]
) -> None:
    """A field it did not register for, or a value the field does not take, undoes the act."""
    under(AT_THE_CHECK, name)
    number = book.assigned()
    book.refused(error, lambda: book.go(number, "check", "handler1", opinion="可"))


def test_a_wrong_value_is_refused_before_anything_is_computed(book: Casebook, under: Any) -> None:
    """A function sees typed values only."""
    under(AT_THE_CHECK, "what_the_log_says")
    number = book.assigned()
    book.refused(Invalid, lambda: book.go(number, "check", "handler1", opinion=7))
    book.refused(Invalid, lambda: book.go(number, "check", "handler1", reason="不收"))


@pytest.mark.parametrize(
    ("name", "finding"),
    [("nothing_like_it", "unknown-fill"), ("where_it_begins", "filled-in-vain")],
)
def test_a_wrong_name_is_found_when_the_files_are_read(
    tmp_path: Path, registry: dict[str, Fill], name: str, finding: str
) -> None:
    """The process does not start; the finding has the line."""
    with pytest.raises(DefinitionError) as refused:
        law(tmp_path / "law", registry, AT_THE_CHECK, name)
    found = refused.value.findings[0]
    line = (tmp_path / "law" / "permit.yaml").read_text("utf-8").split("fill: ")[0].count("\n") + 1
    assert (found.name, found.file, found.line) == (finding, "permit.yaml", line)


def test_a_file_that_uses_no_new_word_keeps_its_digest() -> None:
    """What the grammar learns later makes no released file a changed one."""
    permit = catalog(PERMITS).named("permit")
    assert permit.digest.hex().startswith("3a42842228e447da")
    assert digest(permit.workflow) == permit.digest
