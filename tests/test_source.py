"""What the source may not do, read from the source: no SQL put together from values, no code from data,
no clock without a zone, no way out that nobody judges, no pattern that a text can make slow.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.telling import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("adapters", "api", "engine", "workflows")
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|ALTER|CREATE|DROP|GRANT|WHERE|VALUES)\b")

ASKS_OUTSIDE = {
    "httpx": {"adapters.outbound", "adapters.webhook", "adapters.witnessing", "api.issuer"},
    "smtplib": {"adapters.mail"},
    "urllib.request": {"adapters.supervisor"},
    "socket": {
        "adapters.clamd",
        "adapters.mail",
        "adapters.outbound",
        "adapters.server",
        "adapters.supervisor",
        "adapters.webhook",
    },
    "requests": set(),
    "urllib3": set(),
    "aiohttp": set(),
    "http.client": set(),
    "ftplib": set(),
    "telnetlib": set(),
    "webbrowser": set(),
}
"""Who may open a connection, and with what: webhooks through the guard, mail, the counter's own health,
the office's login provider, the scanner of files, the second party's witness."""

FROM_DATA = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "importlib.resources.files"}
NEVER_CALLED = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp"}
YAML = {"yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.safe_load"}
WITHOUT_ZONE = {
    "datetime.utcnow",
    "datetime.today",
    "datetime.utcfromtimestamp",
    "date.today",
    "time.localtime",
}


@cache
def trees() -> dict[str, ast.Module]:
    """Every module of the program by its dotted name; migrations are written once and run once."""
    files = [
        path
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if "migrations" not in path.parts
    ]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
        for path in files
    }


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, Any]]:
    """Every node of a kind, with its module."""
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, kinds):
                yield module, node


def name_of(node: ast.expr) -> str:
    """What is called, as it is written: `yaml.load`, `execute`."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


BUILT = {
    "engine.figures.folding": "joins the declarations of engine.figures, which are literals",
    "engine.figures.timeliness": "names moments of its own clocks, in literals of the file",
    "engine.queries": "joins conditions that are literals of the file, by which filters are set",
    "engine.record": "chooses between two conditions that are literals of the file",
    "engine.walls": "names tables and roles of the program, in migrations",
}
"""Where statements are put together from more than constants, and why no value gets in."""


def test_no_statement_is_put_together_from_values() -> None:
    """What looks like SQL is a literal, or joins literals and constants of the program (names in
    capitals); values travel as parameters. Whoever needs more stands in the list with a reason.
    """
    found = {
        module
        for module, node in nodes(ast.JoinedStr, ast.BinOp, ast.Call)
        if _is_sql(node) and not _is_constant(node)
    }
    assert found == set(BUILT)


@pytest.mark.parametrize(
    ("source", "built"),
    [
        ("f'SELECT * FROM item WHERE number = {number}'", True),
        ("'SELECT 1 FROM item WHERE id = ' + number", True),
        ("'SELECT 1 FROM %s WHERE id = 1' % table", True),
        ("'SELECT 1 FROM {} WHERE id = 1'.format(table)", True),
        ("f'{READ} WHERE i.number = ANY(%s) AND {forms.OPEN}'", False),
        ("f'select a unit, then update it: {unit}'", False),
    ],
)
def test_a_statement_put_together_is_found(source: str, *, built: bool) -> None:
    """The check can say no, and does not cry wolf."""
    node = ast.parse(source, mode="eval").body
    assert (_is_sql(node) and not _is_constant(node)) is built


def _is_sql(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        called = node.func
        if not (isinstance(called, ast.Attribute) and called.attr in {"format", "join", "replace"}):
            return False
        node = called.value
    elif isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Add | ast.Mod):
        return False
    said = " ".join(
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    )
    return len(SQL.findall(said)) > 1 or (bool(SQL.findall(said)) and "%s" in said)


def _is_constant(node: ast.AST) -> bool:
    """Whether a node is made of literals and names in capitals only."""
    if isinstance(node, ast.JoinedStr):
        return all(_is_constant(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _is_constant(node.value)
    if isinstance(node, ast.BinOp):
        return _is_constant(node.left) and _is_constant(node.right)
    if isinstance(node, ast.Attribute):
        return node.attr.isupper()
    if isinstance(node, ast.Name):
        return node.id.isupper()
    return isinstance(node, ast.Constant)


def test_no_code_comes_from_data() -> None:
    """No pickle, no eval, no shell, no YAML but by the loader of our own."""
    imported = {(module, name) for module, name in imports() if name in FROM_DATA}
    called = {
        (module, name_of(node.func))
        for module, node in nodes(ast.Call)
        if name_of(node.func) in NEVER_CALLED | YAML
    }
    shells = {
        module
        for module, node in nodes(ast.Call)
        for keyword in node.keywords
        if keyword.arg == "shell"
        and not (isinstance(keyword.value, ast.Constant) and not keyword.value.value)
    }
    assert (imported, called, shells) == (set(), set(), set())
    composed = {module for module, node in nodes(ast.Call) if name_of(node.func) == "yaml.compose"}
    assert composed == {"engine.loader"}


def imports() -> Iterator[tuple[str, str]]:
    """Every import: the module, and what it imports."""
    for module, node in nodes(ast.Import, ast.ImportFrom):
        if isinstance(node, ast.Import):
            yield from ((module, each.name) for each in node.names)
        elif node.module and not node.level:
            yield module, node.module
            yield from ((module, f"{node.module}.{each.name}") for each in node.names)


def test_whoever_asks_outside_stands_in_the_list() -> None:
    """A connection is opened by these files only, each of which judges where it leads."""
    found: dict[str, set[str]] = {name: set() for name in ASKS_OUTSIDE}
    for module, name in imports():
        if name in found:
            found[name].add(module)
    for name, modules in found.items():
        assert modules <= ASKS_OUTSIDE[name], name


def test_every_moment_has_its_zone() -> None:
    """`datetime.now()` without a zone is an hour somebody guesses."""
    found = []
    for module, node in nodes(ast.Call):
        name = name_of(node.func)
        bare = name.endswith(("datetime.now", "datetime.fromtimestamp")) and not (
            node.keywords or len(node.args) > name.endswith("fromtimestamp")
        )
        if bare or any(name == each or name.endswith(f".{each}") for each in WITHOUT_ZONE):
            found.append(f"{module}:{node.lineno} {name}")
    assert found == []


def test_everything_is_logged_through_one_door() -> None:
    """Nobody but `engine.telling` knows logging, and each event told is listed with its fields."""
    assert {module for module, name in imports() if name == "logging"} <= {"engine.telling"}
    speakers = {module for module, name in imports() if name == "engine.telling.tell"}
    assert len(speakers) > 8
    for module, node in nodes(ast.Call):
        if name_of(node.func) != "tell" or module not in speakers:
            continue
        where = f"{module}:{node.lineno}"
        named_by = node.args[0]
        assert isinstance(named_by, ast.Constant), f"{where}: an event is named by a literal"
        event = EVENTS[str(named_by.value)]
        named = {keyword.arg for keyword in node.keywords if keyword.arg}
        assert named <= event.fields, where
        for keyword in node.keywords:
            if keyword.arg is None and "told_of" in ast.unparse(keyword.value):
                assert "error" in event.fields, where


def test_every_event_is_told_somewhere() -> None:
    """No line of the table is left over."""
    said = "".join(ast.unparse(tree) for tree in trees().values())
    ways = ("tell('{}'", "'{}' if ", "else '{}'")
    assert not [e for e in EVENTS if not any(way.format(e) in said for way in ways)]


def test_no_pattern_of_ours_can_be_made_slow() -> None:
    """No regular expression repeats without end what repeats without end itself: a text of some
    dozens of characters would keep a process busy for years.
    """
    patterns = [
        (module, node.args[0].value)
        for module, node in nodes(ast.Call)
        if name_of(node.func).startswith("re.")
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    ]
    assert len(patterns) > 10
    slow = [(module, pattern) for module, pattern in patterns if explodes(pattern)]
    assert slow == []


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(?:\d*x?)*y", r"((ab)*c?)+", r"(\w+\s?)*$"])
def test_a_pattern_that_explodes_is_found(pattern: str) -> None:
    """The check can say no."""
    assert explodes(pattern)


ENDLESS = 50


def explodes(pattern: str) -> bool:
    """Whether a repetition holds another one, both long, so that a text can be divided in many ways."""
    from re import _parser

    def walk(parsed: Any, *, inside: bool) -> bool:
        for operation, given in parsed:
            name = str(operation)
            if name in {"MAX_REPEAT", "MIN_REPEAT"}:
                endless = int(given[1]) > ENDLESS
                parts, within = [given[2]], inside or endless
                if endless and inside:
                    return True
            else:
                at = {"SUBPATTERN": 3, "ASSERT": 1, "ASSERT_NOT": 1}.get(name)
                parts = given[1] if name == "BRANCH" else [] if at is None else [given[at]]
                within = inside
            if any(walk(part, inside=within) for part in parts):
                return True
        return False

    return walk(_parser.parse(pattern), inside=False)
