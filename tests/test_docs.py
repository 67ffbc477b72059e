"""The documents say what the code does: every name that people look up has its line, and no line is
left over from a name that is gone.
"""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote

import pytest
import typer
from pydantic import TypeAdapter
from typer.core import TyperGroup

import workflows
from adapters import channels, describing
from adapters.cli import app
from api.problems import status_of
from engine.checking.complaints import KINDS
from engine.checking.proof import SILENCES
from engine.consequences import Effect
from engine.definition import Workflow
from engine.effects import INBOX, PUBLIC_CHANNEL
from engine.fills import FILLS
from engine.guards import GUARDS
from engine.loader import parse
from engine.questionnaires import Questionnaire
from engine.rulebook import Rulebook
from engine.settings import Settings
from engine.vocabularies import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
ROOMS = ("engine", "workflows", "adapters", "api")
LEFT_OUT = {".venv", ".banjie", ".git", ".hypothesis", "__pycache__", "secrets", "vendor"}
"""Folders made by make, by git, by an installation; and what others wrote."""
MARKDOWN = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "engine").rglob("*.md")])
SPAN = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")

COMPLAINING = {"Finding": 2, "say": 1, "_say": 1, "_complain": 1, "_refusal": 2}
"""Who makes findings: the function, and which of its arguments is the finding's name."""


def text(name: str) -> str:
    """One of the documents."""
    return (DOCS / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """The part of a document under a heading that begins so, up to the next of the second depth."""
    found = re.search(
        rf"^(#+) {re.escape(heading)}.*?$(.*?)(?=^#{{1,2}} |\Z)",
        FENCE.sub("", text(name)),
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"{name} has no heading {heading!r}"
    return found[2]


def rows(part: str) -> dict[str, list[str]]:
    """The rows of the tables in a text whose first cell is code: that code -> the other cells."""
    found: dict[str, list[str]] = {}
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| `"):
            name = SPAN.findall(cells[0])[0]
            assert name not in found, f"{name} has two lines"
            found[name] = cells[1:]
    return found


@cache
def trees() -> dict[str, ast.Module]:
    """Every module of the four rooms by its dotted name."""
    files = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
        for path in files
    }


def files() -> Iterator[Path]:
    """Every file of ours, whatever git knows of it."""
    waiting = [ROOT]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if path.name in LEFT_OUT or path.name.endswith("_cache"):
                continue
            if path.is_dir():
                waiting.append(path)
            else:
                yield path


def commands(group: TyperGroup, before: str = "") -> Iterator[str]:
    """Every command of a command line, with the words before it."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def told_commands() -> set[str]:
    """`banjie` and the words in small letters that follow, of every line of the table."""
    found = rows(section("operations.md", "Commands"))
    return {re.match(r"banjie ([a-z]+(?: [a-z]+)*)", name)[1] for name in found}  # type: ignore[index]


def targets() -> set[str]:
    """The targets of the Makefile that say what they do."""
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):.*## ", made, re.MULTILINE))


def all_commands() -> set[str]:
    """Every command of `banjie`."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return set(commands(group))


def errors() -> dict[str, tuple[str, str]]:
    """Every error class of ours: name -> (module, code)."""
    known: dict[str, tuple[str, str]] = {"BanjieError": ("engine.errors", "error")}
    while True:
        before = len(known)
        for module, tree in trees().items():
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.ClassDef)
                    and not node.name.startswith("_")
                    and any(isinstance(base, ast.Name) and base.id in known for base in node.bases)
                ):
                    kind = getattr(importlib.import_module(module), node.name)
                    known[node.name] = (module, kind.code)
        if len(known) == before:
            return known


def finding_names() -> set[str]:
    """The name of every finding that some line of the code makes."""
    found: set[str] = set(SILENCES)
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            at = COMPLAINING.get(name)
            if name == "_once":  # of engine.checking.soundness: the key it is given is taken
                found.add(f"{ast.literal_eval(node.args[2])}-taken")
            elif at is not None and len(node.args) > at:
                found |= set(_named(module, node.args[at]))
    return found


def _named(module: str, word: ast.expr) -> Iterator[str]:
    """What a finding may be named by an expression; a variable only passes a name on."""
    if isinstance(word, ast.Constant) and isinstance(word.value, str):
        yield word.value
    elif isinstance(word, ast.JoinedStr):
        template = ast.unparse(word)
        if "unknown-" in template:
            yield from (f"unknown-{kind}" for kind in KINDS)
        else:
            assert "-taken" in template, f"{module}: cannot tell which findings {template} makes"
    else:
        assert isinstance(word, ast.Name), f"{module}: cannot tell how this finding is named"


def guard_sentences() -> dict[str, list[str]]:
    """What each guard says in Chinese, as the pieces between its placeholders."""
    found: dict[str, list[str]] = {}
    rooms = (tree for name, tree in trees().items() if name.startswith("engine.guards."))
    for node in (node for room in rooms for node in room.body):
        if isinstance(node, ast.FunctionDef) and node.name in GUARDS:
            said = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
            found[node.name] = [piece for word in said for piece in _chinese(word)]
    return found


def _chinese(word: ast.expr | None) -> Iterator[str]:
    parts = word.values if isinstance(word, ast.JoinedStr) else [word]
    for part in parts:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            piece = part.value.rpartition("。")[0] or part.value
            if re.search(r"[\u4e00-\u9fff]", piece):
                yield piece.strip()


def default(value: Any) -> str:
    """A setting's default as the table writes it."""
    if value is None or value == "":
        return "none" if value is None else "empty"
    if isinstance(value, bool | float):
        return f"`{value:g}`"
    return f"`{value}`"


def anchors(path: Path) -> set[str]:
    """What a link may point to inside a document, as GitHub names its headings."""
    plain = FENCE.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", plain, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code_of(path: Path) -> list[str]:
    """What a document shows as code: spans, and the lines of its blocks without their remarks."""
    told = path.read_text(encoding="utf-8")
    blocks = [line for block in FENCE.findall(told) for line in block.splitlines()]
    blocks = [line.partition(" # ")[0] for line in blocks]
    return [*blocks, *SPAN.findall(FENCE.sub("", told))]


def test_every_setting_has_its_line_with_its_default() -> None:
    """operations.md tells every field of Settings, and no other, as it is when nothing is set."""
    told = {name: cells[0] for name, cells in rows(section("operations.md", "Settings")).items()}
    fields = Settings.model_fields.items()
    assert told == {f"BANJIE_{name.upper()}": default(field.default) for name, field in fields}


def test_every_error_has_its_line_with_code_and_status() -> None:
    """errors.md tells every error class, and no other, with its code and its HTTP status."""
    told = {name: cells[:2] for name, cells in rows(text("errors.md")).items()}
    known = {
        name: [f"`{code}`", str(status_of(getattr(importlib.import_module(module), name)))]
        for name, (module, code) in errors().items()
    }
    assert told == known


def test_no_two_errors_share_a_code() -> None:
    """A program that switches on a code meets one error."""
    codes = [code for _, code in errors().values()]
    assert len(codes) == len(set(codes))


def test_every_guard_has_its_line_with_what_it_says() -> None:
    """workflow-files.md tells every guard, and no other, and each of its sentences."""
    told = rows(section("workflow-files.md", "Guards"))
    assert told.keys() == GUARDS.keys()
    for name, pieces in guard_sentences().items():
        assert pieces, f"{name} says nothing in Chinese"
        for piece in pieces:
            assert piece in told[name][-1], f"{name} says {piece}"


def test_every_fill_has_its_line_with_what_it_gives() -> None:
    """workflow-files.md tells every fill, and no other, and the fields it computes."""
    told = rows(section("workflow-files.md", "Fills"))
    assert told.keys() == FILLS.keys()
    for name, fill in FILLS.items():
        assert set(SPAN.findall(told[name][0])) == fill.gives, name


def test_every_finding_has_its_line() -> None:
    """workflow-files.md tells every name a finding can have, and no other."""
    told = rows(section("workflow-files.md", "What `banjie check` says"))
    assert told.keys() == finding_names()


def test_every_example_of_a_workflow_file_is_one() -> None:
    """What workflow-files.md shows as YAML is read, key by key, as the loader reads a file."""
    shapes: dict[str, Any] = {"effects": tuple[Effect, ...]}
    for kind in (Rulebook, Questionnaire, Workflow):  # what two of them have means the same
        shapes |= {name: Annotated[f.annotation, f] for name, f in kind.model_fields.items()}
    shared = workflows.catalog().rulebook.vocabularies
    blocks = re.findall(r"^```yaml\n(.*?)^```", text("workflow-files.md"), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        example = parse(block.encode(), "workflow-files.md").data
        assert isinstance(example, dict)
        for key, value in example.items():
            TypeAdapter(shapes[key]).validate_python(value, context={CONTEXT: shared})


def test_every_workflow_has_its_line() -> None:
    """workflow-files.md tells every workflow, and no other, with its title, its prefix and whether
    it is sealed.
    """
    told = rows(section("workflow-files.md", "The workflows that come"))
    current = workflows.catalog().current
    assert told.keys() == current.keys()
    for name, bound in current.items():
        title, number, about = told[name]
        assert (title, number) == (bound.workflow.title, bound.workflow.number), name
        assert about.startswith("sealed") == bound.workflow.sealed, name


def test_every_workflow_is_described_as_it_is() -> None:
    """docs/workflows says what the files say, and of no other workflow; `make docs` writes it anew."""
    pages = describing.describe(workflows.catalog(), workflows.HERE)
    found = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("workflows/*.md")}
    assert found.keys() == pages.keys(), "run `make docs`"
    for name, page in pages.items():
        assert found[name] == page, f"docs/workflows/{name} is not what its file says: `make docs`"


def test_every_command_has_its_line() -> None:
    """operations.md tells every command of `banjie`, and no other."""
    assert told_commands() == all_commands()


def test_every_make_target_has_its_line() -> None:
    """operations.md tells every target, and no other; all are phony."""
    told = rows(section("operations.md", "Make targets"))
    assert told.keys() == {f"make {name}" for name in targets()}
    phony = re.search(
        r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert phony
    assert set(phony[1].split()) == targets()


def test_every_channel_has_its_line() -> None:
    """operations.md tells every way a message can go, and no other."""
    told = rows(section("operations.md", "Channels"))
    assert told.keys() == {*channels(Settings()), INBOX, PUBLIC_CHANNEL}


def test_every_module_has_its_place_on_the_map() -> None:
    """architecture.md names every file of the engine and of the adapters."""
    said = text("architecture.md")
    for room in ("engine", "adapters"):
        for path in sorted((ROOT / room).rglob("[a-z]*.py")):
            if "migrations" in path.parts:
                continue
            assert f"{path.name}`" in said, f"{room}/{path.name} is not on the map"


def test_every_decision_is_listed() -> None:
    """docs/adr/README.md links every page under its title; pages are numbered without a gap."""
    index = text("adr/README.md")
    pages = sorted((DOCS / "adr").glob("[0-9]*.md"))
    for number, page in enumerate(pages, 1):
        title = page.read_text(encoding="utf-8").splitlines()[0]
        assert title.startswith(f"# {number:04d} "), page.name
        assert f"| [{number:04d}]({page.name}) | {title[7:]} |" in index, page.name
    assert len(re.findall(r"^\| \[", index, re.MULTILINE)) == len(pages)


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_leads_somewhere(path: Path) -> None:
    """Every relative link of a document names a file that is there, and a heading of it."""
    for link in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = unquote(link).partition("#")
        goal = (path.parent / place).resolve() if place else path
        assert goal.exists(), link
        assert goal.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(goal), link


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_tells_to_type_is_there(path: Path) -> None:
    """Every `make` target and every `banjie` command shown as code exists."""
    groups = {command.partition(" ")[0] for command in all_commands()}
    for line in code_of(path):
        for target in re.findall(r"(?:^|[\s=])make ([a-z]+)\b", line):
            assert target in targets(), line
        for command in re.findall(r"(?:^|[\s/])banjie ([a-z]+)\b", line):
            assert command in groups, line


def test_the_tree_names_no_machine_and_no_registry() -> None:
    """No path of somebody's machine and no address of a package registry stands in any file."""
    home = r"(?<![\w.~/}$-])/(?:work|root|home/\w+|Users/\w+)(?:/|\b)"
    registry = r"https?://[^\s\"'>]*(?:py" + r"pi|python" + r"hosted|npm" + r"js|mirror)"
    wrong = re.compile(f"{home}|{registry}".encode())
    found = []
    for path in files():
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if path != Path(__file__).resolve() and wrong.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert not found
