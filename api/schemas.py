"""What comes out, as the OpenAPI document describes it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class SignedReceipt(BaseModel):
    """That an item began at this moment with this event: signed by the log's key, and to be found in
    the log after a minute. Whoever keeps it can check it with the page /receipts or a script.
    """

    number: str
    time: datetime
    event: str
    log: str
    key_id: str
    signature: str


class Receipt(BaseModel):
    """Number and code, and what proves them; the code is shown this once and kept nowhere."""

    number: str
    code: str
    receipt: SignedReceipt


class SignedHead(BaseModel):
    """What was last signed of the log; hashes in hexadecimal."""

    origin: str
    size: int
    root: str
    time: datetime
    previous: str
    note: str
    key: str


class Consistency(BaseModel):
    """The hashes that prove that the log only grew."""

    first: int
    second: int
    proof: list[str]


class Inclusion(BaseModel):
    """The hashes that prove that an event is in the log, and the checkpoint they lead to."""

    position: int
    size: int
    leaf: str
    proof: list[str]
    note: str


class Session(BaseModel):
    """A new session: its token, or, where it lies in a cookie, the token of its forms; `owes` where
    something must be done before anything else.
    """

    token: str | None = None
    form_token: str | None = None
    expires_at: datetime
    owes: Literal["password", "factor", "otp"] | None = None


class Option(BaseModel):
    """A transition that leaves the item's state, and what stands between the caller and it."""

    transition: str
    title: str
    title_en: str
    allowed: bool
    missing: list[str]
    reasons: list[str]


class RungView(BaseModel):
    """A rung of a deadline: when it rings, when it rang."""

    at: str
    level: int
    act: str
    tell: list[str]
    rings_at: datetime | None
    climbed_at: datetime | None


class DeadlineView(BaseModel):
    """A running clock of an item."""

    name: str
    title: str
    kind: Literal["limit", "idle", "ping_pong", "clock_abuse"]
    rule: str
    span: str
    until: date | None = None
    started_on: date
    due_on: date | None
    due_at: datetime | None
    provisional: bool
    paused: bool
    extension: str | None
    rungs: list[RungView]


class Entry(BaseModel):
    """An item in a list."""

    number: str
    workflow: str
    version: int
    title: str
    title_en: str
    state: str
    state_title: str
    state_title_en: str
    revision: int
    unit: str
    channel: str
    received_at: datetime
    entered_at: datetime
    due_at: datetime | None
    rung: int
    stalled: bool
    closed_at: datetime | None
    assignees: list[str]


class AttachmentLine(BaseModel):
    """A file of an item on its page."""

    id: str
    kind: str
    size: int
    scan: Literal["pending", "scanned", "infected", "not_scanned", "failed"]
    flags: list[str]


class Item(Entry):
    """An item."""

    data: dict[str, Any]
    declared: list[str]
    deadlines: list[DeadlineView]
    available: list[Option]
    children: list[str]
    parent: str | None
    attachments: list[AttachmentLine]


class Listed(BaseModel):
    """A page of a list; `next` is the cursor of the one after, null on the last."""

    next: str | None


class Worklist(Listed):
    """What the caller may see."""

    items: list[Entry]


class Counted(BaseModel):
    """An item counted for a cluster."""

    number: str
    workflow: str
    state: str
    received_at: datetime
    cluster: str


class Cluster(Listed):
    """What was counted behind an analysis, as far as the caller may know of it."""

    items: list[Counted]


class Begun(BaseModel):
    """The numbers of items that began."""

    numbers: list[str]


class RemedyView(BaseModel):
    """The smallest change that would let an item be worked."""

    kind: Literal["reassign", "substitute", "role", "outside"]
    people: list[str]
    role: str
    detail: str


class GapView(BaseModel):
    """An item that would lack lawful people: others must be assigned, or nobody could move it."""

    number: str
    workflow: str
    state: str
    kind: Literal["reassign", "nobody"]
    roles: list[str]
    detail: str
    remedy: RemedyView | None


class Gaps(BaseModel):
    """What would be lacking; nothing where the list is empty."""

    items: list[GapView]


class EventView(BaseModel):
    """What happened, once; `hash` chains it to the one before."""

    seq: int
    at: datetime
    actor: str
    role: str
    act: str
    from_: Annotated[str, Field(alias="from")]
    to: str
    data: dict[str, Any]
    personal: dict[str, Any]
    commitment: str | None
    hash: str


class Journal(Listed):
    """The events of an item, oldest first."""

    items: list[EventView]


class Draft(BaseModel):
    """An official letter as drafted; `sha256` is over the UTF-8 of `body`, `seq` its event."""

    seq: int
    template: str
    title: str
    body: str
    sha256: str
    drafted_at: datetime


class Drafts(Listed):
    """The letters of an item, oldest first."""

    items: list[Draft]


class AttachmentGiven(AttachmentLine):
    """A file that was just added; `seq` is its event, `sha256` that of the file as received."""

    seq: int
    sha256: str
    from_public: bool
    to_public: bool
    erased: bool
    at: datetime
    by: str


class AttachmentView(AttachmentGiven):
    """A file of an item; what it is called and about is shown to whoever works on the item. The name
    stands between the marks U+2068 and U+2069, which keep its reading direction to itself.
    """

    name: str | None
    title: str | None
    note: str | None


class AttachmentsGiven(BaseModel):
    """The files that were added, in their order."""

    items: list[AttachmentGiven]


class AttachmentsListed(Listed):
    """The files of an item, oldest first."""

    items: list[AttachmentView]


class RevealView(BaseModel):
    """A request to see an identity. `data` holds it for ten minutes, for who asked, and never in an
    answer to a write.
    """

    id: str
    number: str
    status: Literal["asked", "granted", "refused", "lapsed", "ended"]
    detail: str
    fields: list[str]
    protection: Literal["open", "confidential", "anonymous"]
    requester: str
    approver: str | None
    asked_at: datetime
    lapses_at: datetime
    decided_at: datetime | None
    shown_until: datetime | None
    data: dict[str, Any] | None


class Reveals(Listed):
    """The requests about an item, oldest first."""

    items: list[RevealView]


class Kept(BaseModel):
    """Whether the personal data of an item are kept: `held` by a legal hold, and how far an erasure
    has come.
    """

    number: str
    step: Literal["kept", "restricted", "shredded"]
    held: bool
    ground: Literal["request", "retention"] | None
    restricted_at: datetime | None
    shreds_at: datetime | None
    shredded_at: datetime | None


class Likeness(BaseModel):
    """Another item that may come from the same person, and what is alike."""

    number: str
    workflow: str
    by: list[Literal["phone", "name"]]


class Likenesses(Listed):
    """Possible duplicates, the newest first."""

    items: list[Likeness]


class Stall(BaseModel):
    """A clock whose alarm has fired while nothing moved."""

    number: str
    title: str
    title_en: str
    workflow: str
    state: str
    state_title: str
    kind: Literal["overdue", "idle", "ping_pong", "clock_abuse", "due_soon"]
    deadline: str
    rule: str
    rung: int
    since: datetime
    holder: list[str]
    next_rung_at: datetime | None


class Stalls(Listed):
    """The escalation queue, highest rung first."""

    items: list[Stall]


class BulkResult(BaseModel):
    """What came of one item."""

    number: str
    ok: bool
    status: int
    problem: dict[str, Any] | None


class BulkResults(BaseModel):
    """One result for each number, in their order."""

    results: list[BulkResult]


class MessageView(BaseModel):
    """What was pushed: to whom, by which way, with what outcome. Never what it was about."""

    id: str
    item: str
    rule: str | None
    rung: int | None
    recipient: str
    channel: str
    text: str
    status: Literal["ready", "leased", "sent", "dead", "withdrawn"]
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    receipt: str | None


class Messages(Listed):
    """What was pushed, newest first."""

    items: list[MessageView]


class Letter(BaseModel):
    """A message in words."""

    id: str
    item: str
    rung: int | None
    title: str
    body: str
    created_at: datetime


class Inbox(Listed):
    """What the caller was told, newest first."""

    items: list[Letter]


class Day(BaseModel):
    """A row of the printed working."""

    date: date
    counts: bool
    why: str


class DueDate(BaseModel):
    """A due date and how it was counted."""

    due_on: date | None
    due_at: datetime | None
    provisional: bool
    working: list[Day]


class Tracked(BaseModel):
    """What the petitioner is shown."""

    number: str
    workflow: str
    title: str
    title_en: str
    state: dict[str, Any]
    unit: dict[str, str]
    received_at: datetime
    due: dict[str, Any] | None
    deadlines: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    unread: int
    letters: list[dict[str, Any]]
    reveals: list[dict[str, Any]]
    invitations: list[str]
    rights: list[dict[str, Any]]
    receipt: SignedReceipt


class Clock(BaseModel):
    """The office's clock, and by how many seconds it is moved."""

    now: datetime
    offset: float


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"]


class Lateness(BaseModel):
    """Seconds by which the oldest is late, in whole minutes: 0 below a minute."""

    oldest: float


class Ready(BaseModel):
    """The database answers; by how much the sweep and the outbox are late."""

    status: Literal["ready"]
    sweep: Lateness
    outbox: Lateness
    durable: bool


class Check(BaseModel):
    """What the silence proof found for a workflow in this office."""

    holds: bool
    configurations: int
    findings: list[str]
    longest_silence: str | None


class WorkflowLine(BaseModel):
    """A declared machine in a list."""

    workflow: str
    version: int
    title: str
    title_en: str
    number: str
    sealed: bool
    states: int
    transitions: int
    check: Check


class Workflows(BaseModel):
    """Every machine in force."""

    items: list[WorkflowLine]


class WorkflowView(BaseModel):
    """A declared machine, whole."""

    workflow: str
    version: int
    title: str
    title_en: str
    declaration: dict[str, Any]
    diagram: str
    check: Check


class Problem(BaseModel):
    """RFC 9457. Problem types have members of their own; `errors` holds pointers of 422."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(examples=["/problems/guard-refused"])]
    title: str
    status: int
    detail: str
    instance: str
