"""A strict reader for the YAML the office writes: text in, text out, and a line for every value.

YAML surprises are refused instead of interpreted: no aliases, anchors, tags or merge keys, no key
twice, no key that is not text. Every scalar stays text (`no`, `010` and `17:30` mean what they
say); the typed shape is pydantic's business (`engine.definition`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from engine.errors import DefinitionError, Finding

if TYPE_CHECKING:
    from pathlib import Path as FilePath

MOST_BYTES = 256 * 1024
MOST_DEPTH = 16
MOST_NODES = 20_000
CORE = "tag:yaml.org,2002:"
PLAIN_TAGS = frozenset(
    ["str", "int", "float", "bool", "null", "timestamp", "merge", "value", "map", "seq"]
)
"""What YAML itself takes plain values for; everything else was written as a tag."""
PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml, which reads a file ten times as fast, where the installed wheel has it."""

Path = tuple[str | int, ...]
Value = str | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True)
class Document:
    """What a file says, and on which line (from 1) it says each thing."""

    name: str
    data: Value
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of a value, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def load(path: FilePath) -> Document:
    """Read one file of at most 256 kB and 16 levels.

    Raises DefinitionError with every finding and its line.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DefinitionError(
            [Finding(path.name, 0, "unreadable", f"cannot be read ({error.strerror})")]
        ) from error
    return parse(raw, path.name)


def parse(raw: bytes, name: str) -> Document:
    """Read the bytes of a file; see :func:`load`."""
    if len(raw) > MOST_BYTES:
        raise _refusal(name, 0, "too-large", f"is over {MOST_BYTES // 1024} kB; split it")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _refusal(name, line, "not-utf8", "is not UTF-8 text; save it as UTF-8") from error
    if depth_line := _too_deep(text):
        raise _refusal(name, depth_line, "too-deep", f"nests deeper than {MOST_DEPTH} levels")
    try:
        _refuse_aliases(text)
        node = yaml.compose(text, Loader=PARSER)
    except _AliasError as alias:
        raise _refusal(name, alias.line, "not-yaml", "no aliases; write it out") from alias
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _refusal(name, line, "not-yaml", f"{error.problem or 'is not YAML'}") from error
    except yaml.YAMLError as error:
        raise _refusal(name, 1, "not-yaml", "holds characters YAML does not allow") from error
    if node is None:
        raise _refusal(name, 1, "empty", "is empty")
    reader = _Reader(name)
    data = reader.read(node, ())
    if reader.findings:
        raise DefinitionError(reader.findings)
    return Document(name, data, reader.lines)


class _AliasError(Exception):
    """There is an alias on this line."""

    def __init__(self, line: int) -> None:
        self.line = line


def _refuse_aliases(text: str) -> None:
    """No file may stand for more than it holds: refused before anything is composed."""
    for event in yaml.parse(text, Loader=PARSER):
        if isinstance(event, yaml.AliasEvent):
            raise _AliasError(event.start_mark.line + 1 if event.start_mark else 1)


class _Reader:
    """Turns YAML nodes into text, lists and mappings, collecting every complaint."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.findings: list[Finding] = []
        self.lines: dict[Path, int] = {}
        self._nodes = 0

    def read(self, node: yaml.Node, path: Path) -> Value:
        self._nodes += 1
        line = node.start_mark.line + 1
        self.lines[path] = line
        if self._nodes > MOST_NODES:
            if self._nodes == MOST_NODES + 1:
                self._complain(line, "too-many", f"holds more than {MOST_NODES} values")
            return ""
        if node.tag is not None and node.tag.removeprefix(CORE) not in PLAIN_TAGS:
            self._complain(line, "tag", f"uses the tag {node.tag}; tags are not allowed")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, at)) for at, child in enumerate(node.value)]
        return str(node.value)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(line, "bad-key", "has a key that is not a word")
                continue
            key = str(key_node.value)
            if key == "<<":
                self._complain(line, "merge-key", "uses a merge key; write the values out")
            elif key in found:
                self._complain(line, "repeated-key", f"says {key!r} twice; keep one of them")
            else:
                found[key] = self.read(value_node, (*path, key))
                self.lines[(*path, key)] = line
        return found

    def _complain(self, line: int, name: str, sentence: str) -> None:
        self.findings.append(Finding(self.name, line, name, sentence))


def _too_deep(text: str) -> int:
    """The line where brackets or indentation nest too deep, or 0; scanned before any parsing.

    Composing is recursive, and a file of nested brackets would end the process instead of the
    file.
    """
    depth = 0
    for at, line in enumerate(text.splitlines(), 1):
        if len(line) - len(line.lstrip(" ")) > MOST_DEPTH * 8 or line.count("- - ") > MOST_DEPTH:
            return at
        for char in line:
            if char in "[{":
                depth += 1
                if depth > MOST_DEPTH:
                    return at
            elif char in "]}":
                depth = max(0, depth - 1)
    return 0


def _refusal(name: str, line: int, code: str, sentence: str) -> DefinitionError:
    return DefinitionError([Finding(name, line, code, sentence)])
