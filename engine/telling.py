"""What the processes write down: JSON lines of a closed list of events, each with a closed list of
fields, each field of a closed form (ADR-0020).

`tell` is the one way in. No field takes a free text, so nothing a person wrote can get through by
forgetfulness; a second net masks what looks like a telephone number, an identity card or a code.
What libraries log is told by its place alone, since their words quote values: a failing row, an
address with a password, the arguments of a call.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, NamedTuple

import orjson
import structlog
from structlog.exceptions import DropEvent

from engine.errors import BanjieError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from structlog.typing import EventDict

__all__ = ["EVENTS", "FIELDS", "asking", "name_asker", "take_over", "tell"]

LONGEST = 300
"""Characters of a value that are kept."""
SHORTEST = 11
"""Characters of the shortest value that is masked, a mobile number."""


class Unlisted(Exception):
    """The program tried to log what no list names."""


class Field(NamedTuple):
    """The form of a field, and what it says."""

    form: type[int | float] | re.Pattern[str]
    meaning: str


def _text(pattern: str, meaning: str) -> Field:
    return Field(re.compile(pattern, re.ASCII), meaning)


FIELDS: Mapping[str, Field] = {
    "at": _text(r"[\w.-]{1,60}:\d{1,6}", "file and line"),
    "attachment": _text(r"[0-9a-f-]{36}", "id of the attachment"),
    "bytes": Field(int, "bytes of the answer's body"),
    "channel": _text(r"[a-z_]{1,20}", "name of the channel"),
    "code": _text(r"[a-z0-9_.:-]{1,60}", "code of an error class, or of a reason"),
    "constraint": _text(r"[a-z0-9_]{1,63}", "the constraint that refused"),
    "count": Field(int, "how many"),
    "dead": Field(int, "messages given up"),
    "error": _text(r"[A-Za-z_][\w.]{0,80}", "class of the error; its words are left out"),
    "failed": Field(int, "files that could not be scanned"),
    "infected": Field(int, "files in which a virus was found"),
    "held": Field(int, "items under a legal hold"),
    "item": Field(re.compile(r"[^\W\d_]{1,12}[0-9]{4}-[0-9]{6,12}"), "number of the item"),
    "logger": _text(r"[A-Za-z_][\w.-]{0,80}", "the library's own name for what spoke"),
    "message": _text(r"[0-9a-f-]{36}", "id of the message"),
    "method": _text(r"GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|OTHER", "method of the request"),
    "ms": Field(float, "milliseconds it took"),
    "of": _text(r"number|network|account", "what the tries had in common"),
    "passed": Field(int, "files in which nothing was found"),
    "request": _text(r"[0-9a-f-]{36}", "id of the request, as in `X-Request-ID`"),
    "restricted": Field(int, "items whose personal data are shown no more"),
    "result": _text(r"[A-Za-z0-9 .,:'_()-]{1,120}", "what the channel said, in our own words"),
    "retried": Field(int, "messages that will be tried again"),
    "route": _text(r"[/a-z0-9_.{}:-]{1,80}", "pattern of the address, never the address"),
    "rungs": Field(int, "rungs climbed"),
    "sent": Field(int, "messages sent"),
    "sentence": Field(re.compile(r".*", re.DOTALL), "what is wrong, in our own words"),
    "shredded": Field(int, "items whose personal data were erased"),
    "signal": Field(int, "number of the signal"),
    "sqlstate": _text(r"[0-9A-Z]{5}", "what the database called it"),
    "status": Field(int, "status of the answer"),
    "via": _text(r"[\w.-]{1,60}:\d{1,6}", "the last file and line of our own on the way there"),
    "workflow": _text(r"[a-z][a-z0-9_]{0,40}", "name of the workflow"),
    "who": _text(
        r"[a-z]{1,20}(:[0-9A-Za-z-]{1,40})?", "who asked: `person:ID`, or `none` without a login"
    ),
}
"""Every field an event may have beside those that all have."""


class Event(NamedTuple):
    """How loud an event is, its fields, and when it happens."""

    level: str
    fields: frozenset[str]
    meaning: str


def _event(level: str, fields: str, meaning: str) -> Event:
    return Event(level, frozenset(fields.split()), meaning)


_FAULT = "error at via sqlstate constraint code"

EVENTS: Mapping[str, Event] = {
    "codes.guessed": _event(
        "warning", "count of", "wrong codes for one number, or from one network, within an hour"
    ),
    "request": _event(
        "info", "method route status ms who bytes", "a request was answered; one line each"
    ),
    "request.failed": _event("error", _FAULT, "a request met a fault of ours"),
    "started": _event("info", "", "a process began"),
    "stopped": _event(
        "error", f"{_FAULT} sentence", "a process could not start, or ended by a fault"
    ),
    "worker.ready": _event("info", "", "the worker takes hints"),
    "record.doubted": _event(
        "error", "sentence", "the database is not the one whose checkpoints lie outside it"
    ),
    "erase.done": _event(
        "info", "restricted shredded held ms", "personal data were restricted or erased, or held"
    ),
    "reveals.lapsed": _event("info", "count ms", "requests for an identity lapsed undecided"),
    "opening.failed": _event(
        "error", f"workflow {_FAULT}", "an item due this month could not begin"
    ),
    "opening.done": _event("info", "count", "items of this month began"),
    "sweep.done": _event("info", "rungs ms", "rungs were climbed"),
    "sweep.split": _event("warning", _FAULT, "a batch failed and is climbed one by one"),
    "sweep.put_off": _event(
        "warning", f"item {_FAULT}", "an item's clocks are put off for an hour"
    ),
    "sweep.unknown": _event("warning", "count", "clocks of workflow versions not loaded here"),
    "tally.done": _event("info", "count", "items were begun for what comes in too often"),
    "tally.failed": _event(
        "warning", _FAULT, "an item could not be begun for what comes in too often"
    ),
    "lapse.waits": _event("info", "item code", "a lapse is not lawful yet"),
    "lapse.failed": _event("warning", f"item {_FAULT}", "a lapse met a fault"),
    "deliver.done": _event("info", "sent retried dead ms", "messages were tried"),
    "scan.done": _event("info", "passed infected failed", "attachments were scanned"),
    "scan.failed": _event("warning", "attachment code", "an attachment could not be scanned"),
    "store.swept": _event("info", "count", "files that belonged to nothing were removed"),
    "depart.done": _event("info", "count", "the work of leavers was handed over"),
    "message.noted": _event(
        "info", "channel message item", "a message of a channel that is not configured"
    ),
    "message.failed": _event("warning", "message channel code result", "a message was not sent"),
    "library.warned": _event("warning", f"logger {_FAULT}", "a library warned"),
    "library.failed": _event("error", f"logger {_FAULT}", "a library reported a fault"),
    "unlisted": _event("error", "count", "the program tried to log what no list names"),
}
"""Every event there is."""

COMMON: Mapping[str, str] = {
    "time": "when, UTC",
    "level": "`info`, `warning` or `error`",
    "event": "name of the event",
    "program": "`api`, `worker`, `beat`, `cli`",
    "pid": "number of the process",
    "request": "id of the request it happened in, if it did",
}
"""What every line may have."""

strict = False
"""Raise for what is not listed; only tests do."""

_asking: ContextVar[dict[str, str] | None] = ContextVar("asking", default=None)
_ROOT = Path(__file__).resolve().parents[1]
_OURS = tuple(f"{_ROOT / room}{os.sep}" for room in ("adapters", "api", "engine", "workflows"))
_program = "cli"
_dropped = 0

_BAD = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_PERSONAL = re.compile(
    r"(?<![0-9])(?:[0-9]{17}[0-9Xx]|[0-9]{4}(?:[ -]?[0-9]{4}){3}|[0-9]{15}|(?:\+?86[ -]?)?1[3-9][0-9]{9})(?![0-9])"
)
"""An identity card of either length, a petitioner's code, a mobile number."""


def tell(event: str, **fields: object) -> None:
    """Write one event to the error output. What no list names is left out and counted; under tests
    it raises Unlisted.
    """
    listed = EVENTS.get(event)
    getattr(_log, listed.level if listed else "error")(event, **fields)


def told_of(error: BaseException) -> dict[str, str]:
    """An error as fields: its class, where it was raised, and what the database called it."""
    found = {"error": type(error).__name__}
    if isinstance(error, BanjieError):
        found["code"] = error.code
    frames = extract_tb(error.__traceback__)
    for name, where in (
        ("at", frames),
        ("via", [f for f in frames if f.filename.startswith(_OURS)]),
    ):
        if where:
            found[name] = _spot(where[-1].filename, where[-1].lineno or 0)
    cause = getattr(error, "orig", None) or error
    diagnosis = getattr(cause, "diag", cause)
    for name, value in (
        ("sqlstate", getattr(cause, "sqlstate", None)),
        ("constraint", getattr(diagnosis, "constraint_name", getattr(cause, "constraint", None))),
    ):
        if value:
            found[name] = str(value)
    return found


def _spot(file: str, line: int) -> str:
    """A file without its folders, and a line."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', file.rpartition('/')[2])[:60] or '_'}:{line}"


def asking(request_id: str) -> dict[str, str]:
    """Whatever is told from here on, in this task and the threads it starts, belongs to a request.

    The answer is filled by `name_asker` with who asked.
    """
    asked = {"request": request_id, "who": "none"}
    _asking.set(asked)
    return asked


def name_asker(who: str) -> None:
    """Say who makes the request of this context, as `person:ID`."""
    if (asked := _asking.get()) is not None:
        asked["who"] = who


def take_over(program: str) -> None:
    """Make this process tell everything in this form: libraries, warnings, and its own death.

    For the start of a process; it changes what belongs to the whole of it.
    """
    global _program  # noqa: PLW0603 - one name for one process
    _program = program
    logging.root.handlers[:] = [_Net()]
    logging.root.setLevel(logging.WARNING)
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    logging.captureWarnings(capture=True)
    sys.excepthook = _last_words
    threading.excepthook = lambda args: tell(
        "library.failed", **_of(args.exc_value), logger="thread"
    )
    sys.unraisablehook = lambda args: tell(
        "library.failed", **_of(args.exc_value), logger="garbage"
    )


def _of(error: BaseException | None) -> dict[str, str]:
    return told_of(error) if error is not None else {}


def _last_words(
    kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    tell("stopped", **told_of(error))


class _Net(logging.Handler):
    """Catches what libraries log: who spoke and from where, never what was said."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one record."""
        fields: dict[str, object] = {"at": _spot(record.filename, record.lineno)}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields |= told_of(error)
        event = "library.failed" if record.levelno >= logging.ERROR else "library.warned"
        tell(event, logger=record.name, **fields)


class _Output:
    """The error output as it is now: a test, or a child, may have another than we began with."""

    def msg(self, line: bytes) -> None:
        """Write one line at once, so that lines of several processes do not mix."""
        binary = getattr(sys.stderr, "buffer", None)
        if binary is None:
            sys.stderr.write(f"{line.decode()}\n")
        else:
            binary.write(line + b"\n")
        sys.stderr.flush()

    info = warning = error = msg


def _admit(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Let through what the lists name, in the form they name."""
    event = EVENTS.get(line["event"])
    if event is None:
        _refuse(f"no event {line['event']}")
        raise DropEvent
    for name in [name for name in line if name != "event"]:
        if name not in event.fields:
            _refuse(f"{line['event']} has no field {name}")
            del line[name]
        elif not _fits(FIELDS[name].form, line[name]):
            _refuse(f"{line['event']}: {name} is not of its form")
            line[name] = "?"
    return line


def _fits(form: type[int | float] | re.Pattern[str], value: object) -> bool:
    if isinstance(form, re.Pattern):
        return isinstance(value, str) and form.fullmatch(value) is not None
    return isinstance(value, form) and not isinstance(value, bool)


def _refuse(why: str) -> None:
    global _dropped  # noqa: PLW0603 - counted for the whole process
    if strict:
        raise Unlisted(why)
    _dropped += 1
    tell("unlisted", count=_dropped)


def _place(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Add the process and, where there is one, the request."""
    line["program"] = _program
    line["pid"] = os.getpid()
    if (asked := _asking.get()) is not None:
        line.setdefault("request", asked["request"])
    return line


def _tame(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Escape what could forge a line or turn it round, cut what is long, mask what looks personal."""
    for name, value in line.items():
        if isinstance(value, str):
            line[name] = tamed(value)
    return line


def tamed(value: str) -> str:
    """A value fit to stand in a log."""
    plain = value.isascii() and value.isprintable()
    if plain and len(value) < SHORTEST:
        return value
    if len(value) > LONGEST:
        value = f"{value[:LONGEST]}…"
    if not plain:
        value = _BAD.sub(lambda found: f"\\u{{{ord(found[0]):04x}}}", value)
    return value if _UUID.fullmatch(value) else _PERSONAL.sub("***", value)


_write = _Output()
_log = structlog.wrap_logger(
    _write,
    processors=[
        _admit,
        _place,
        _tame,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.JSONRenderer(serializer=orjson.dumps),
    ],
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    cache_logger_on_first_use=True,
)
