"""A workflow drawn from its declaration: SVG, laid out by Graphviz, nothing loaded from outside.

The program is graphviz-pure, which comes as a wheel. It measures Chinese too narrow, so labels are
padded; its colours are the design's (石绿 for ways of people, 墨 for the system's).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.definition import Workflow

PATIENCE = 20.0  # seconds
INK, LINE, PAPER, WAY, RETURN = "#18222c", "#7d8790", "#ffffff", "#1f6f5f", "#a5501f"
FONT = "Noto Sans CJK SC, Microsoft YaHei, PingFang SC, sans-serif"


class CannotDraw(RuntimeError):
    """The drawing program is missing or failed."""


def draw(workflow: Workflow) -> bytes:
    """The diagram of a workflow as SVG. Raises CannotDraw."""
    beside = Path(sys.executable).with_name("graphviz-pure")
    program = str(beside) if beside.is_file() else shutil.which("graphviz-pure")
    if program is None:
        raise CannotDraw("graphviz-pure is missing; run `make setup`")
    try:
        drawn = subprocess.run(
            [program, "-Tsvg"],
            input=dot(workflow).encode(),
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        ).stdout
    except (subprocess.SubprocessError, OSError) as error:
        raise CannotDraw(type(error).__name__) from error
    begin = drawn.find(b"<svg")  # what comes before names a document type on another host
    title = _escaped(f"{workflow.title} {workflow.title_en}").encode()
    head, _, rest = drawn[begin:].partition(b">")
    return head + b' role="img"><title>' + title + b"</title>" + rest


def dot(workflow: Workflow) -> str:
    """The diagram in Graphviz's language: states with both titles, edges with their transitions."""
    lines = [
        "digraph workflow {",
        f'graph [rankdir=TB, bgcolor="transparent", fontname="{FONT}", nodesep=0.5, ranksep=0.5];',
        (
            f'node [shape=box, style="rounded,filled", fillcolor="{PAPER}", color="{LINE}",'
            f' fontcolor="{INK}", fontname="{FONT}", fontsize=13, margin="0.2,0.1"];'
        ),
        f'edge [color="{LINE}", fontcolor="{INK}", fontname="{FONT}", fontsize=11];',
        f'begin [shape=circle, label="", width=0.18, fillcolor="{INK}"];',
    ]
    for name, state in workflow.states.items():
        shape = ", peripheries=2" if state.final else ""
        lines.append(f"s_{name} [label={_label(state.title, state.title_en)}{shape}];")
    submit = workflow.transitions["submit"][0]
    lines.append(f"begin -> s_{workflow.initial} [label={_label(submit.title)}];")
    for _, move in workflow.moves():
        by_sys = set(move.by) == {"sys"}
        look = ", style=dashed" if by_sys else f', color="{RETURN if move.returns else WAY}"'
        lines += [
            f"s_{source} -> s_{move.to} [label={_label(move.title)}{look}];"
            for source in move.sources
        ]
    return "\n".join([*lines, "}"])


def _label(*lines: str) -> str:
    padded = (line + " " * round(_wide(line) * 0.6) for line in lines)
    quoted = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in padded)
    return f'"{quoted}"'


def _wide(text: str) -> int:
    return sum(unicodedata.east_asian_width(char) in "WF" for char in text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
