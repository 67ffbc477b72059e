"""What goes in, with an example of each. Bodies are closed: an unknown member is refused."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

MOST = 100
MOST_MESSAGE = 4000
NUMBER = "执诉2026-0234386116"
CODE = "0123456789012345"
PLAIN = r"^[^\x00-\x1f\x7f]+$"


def storable(value: Any) -> Any:
    """JSON whose every text can be kept: no NUL, no half of a surrogate pair."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            if "\x00" in each or any("\ud800" <= char <= "\udfff" for char in each):
                raise ValueError("含有无法保存的字符 (holds characters that cannot be stored)")
        elif isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each
    return value


def _text(most: int, least: int = 1) -> Any:
    return StringConstraints(min_length=least, max_length=most)


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
Line = Annotated[str, _text(200), StringConstraints(pattern=PLAIN)]
Words = Annotated[str, _text(2000), AfterValidator(storable)]
Data = Annotated[
    dict[str, Any],
    AfterValidator(storable),
    Field(description="Field -> value, as the workflow declares them (GET /workflows/{name})."),
]
Number = Annotated[
    str,
    Path(pattern=PLAIN, max_length=40, description="Number of the item.", examples=[NUMBER]),
]
NAME = r"^[a-z][a-z0-9_]{0,40}$"
Transition = Annotated[
    str, Path(pattern=NAME, description="Name of a transition.", examples=["register"])
]
WorkflowName = Annotated[
    str, Path(pattern=NAME, description="Name of a workflow.", examples=["mediation"])
]
Cursor = Annotated[
    str | None,
    Query(max_length=400, pattern=r"^[A-Za-z0-9_=-]+$", description="`next` of the page before."),
]
Reveal = Annotated[
    UUID,
    Path(description="Id of a request.", examples=["0199c0de-7c1f-7000-8000-5f0e9d1c2b3a"]),
]
Limit = Annotated[int, Query(ge=1, le=MOST, description="Rows of a page.")]
Word = Annotated[str | None, Query(max_length=200, pattern=PLAIN)]
Channel = Literal[
    "web", "wechat", "phone", "letter", "visit", "12345", "12315",
    "hall", "online", "mobile", "self_service", "hotline", "other",  # of a rating
]  # fmt: skip
StaffChannel = Literal[
    "staff", "phone", "letter", "visit", "wechat", "12345", "12315", "superior", "internal",
    "revisit", "questionnaire",
]  # fmt: skip
HALF_WIDTH = {0xFEE0 + char: char for char in range(0x21, 0x7F)} | dict.fromkeys(
    map(ord, "‐‑‒–—―−"), "-"
)
"""Full-width letters, digits and signs, as Chinese keyboards write them, and the dashes of letters.
Digits of other scripts are left as they are, which no pattern of ours takes."""


def as_printed(value: Any) -> Any:
    """A number or a code as it stands on the receipt: half-width, without blanks, composed (NFC)."""
    if not isinstance(value, str) or len(value) > MOST:
        return value
    return "".join(unicodedata.normalize("NFC", value).translate(HALF_WIDTH).split())


Code = Annotated[
    str,
    BeforeValidator(as_printed),
    StringConstraints(pattern=r"^[0-9]{16}$"),
    Field(examples=[CODE]),
]
ItemNumber = Annotated[str, _text(40), StringConstraints(pattern=PLAIN), Field(examples=[NUMBER])]
OwnNumber = Annotated[ItemNumber, BeforeValidator(as_printed)]
Proof = Annotated[
    str | None,
    Field(
        max_length=4000,
        pattern=r"^[A-Za-z0-9+/=]+$",
        description="A solved challenge (GET /portal/challenge) as the altcha widget writes it. "
        "Asked for only after too many tries.",
    ),
]


class Form(BaseModel):
    """A body: closed against members it does not declare."""

    model_config = ConfigDict(extra="forbid")


class WorklistQuery(BaseModel):
    """What a worklist is narrowed to."""

    workflow: Word = None
    state: Word = None
    unit: Word = None
    assignee: Word = None
    stalled: bool | None = None
    due_before: Annotated[
        date | AwareDatetime | None,
        Field(description="Due at this moment or before; a date means its first instant."),
    ] = None
    q: Annotated[
        str | None,
        Field(max_length=40, pattern=PLAIN, description="The beginning of a number."),
    ] = None
    cursor: Cursor = None
    limit: Limit = 50


Otp = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
Recovery = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z -]{24,40}$")]
RECOVERY_CODE = "7K3QWX-9M2ZPB-4T8VHC-1N6RJD"
OTP = "492039"


class Login(Form):
    """Who logs in: account and password, and a code of the second factor where there is one."""

    account: Annotated[Line, Field(examples=["handler1"])]
    password: Annotated[Line, Field(examples=["banjie-sample"])]
    otp: Annotated[Otp | None, Field(description="The code the device shows.")] = None
    recovery_code: Annotated[Recovery | None, Field(description="Instead of otp, once each.")] = (
        None
    )
    cookie: Annotated[
        bool, Field(description="For a browser: keep the session in a cookie instead of a token.")
    ] = False


class StepUp(Form):
    """That it is still the same person: one of the three."""

    password: Annotated[Line | None, Field(examples=["banjie-sample"])] = None
    otp: Otp | None = None
    recovery_code: Recovery | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if [self.password, self.otp, self.recovery_code].count(None) != 2:  # noqa: PLR2004
            raise ValueError(
                "password、otp、recovery_code 写一个 (give one of password, otp, recovery_code)"
            )
        return self


class PasswordChange(Form):
    """The present password and the one to come."""

    present: Annotated[Line, Field(examples=["banjie-sample"])]
    new: Annotated[Line, Field(examples=["three quiet herons upstream"])]


class Confirmation(Form):
    """The first code of a device."""

    otp: Annotated[Otp, Field(examples=[OTP])]


class TokenRequest(Form):
    """What a system may do, and for how long."""

    name: Annotated[Line, Field(examples=["12345 热线接口"])]
    scopes: Annotated[
        list[Literal["read", "submit", "advance", "supervise"]],
        Field(min_length=1, max_length=5, examples=[["read", "submit"]]),
    ]
    days: Annotated[int, Field(ge=1, le=366, description="Days until it ends.")] = 90


Account = Annotated[
    str,
    Path(pattern=r"^[a-z][a-z0-9_.-]{0,40}$", description="An account.", examples=["handler1"]),
]
SessionId = Annotated[
    UUID, Path(description="Id of a session.", examples=["5b0f8a2e-31c4-4a0e-9d7c-6f2f0b1f8a11"])
]
TokenId = Annotated[
    UUID, Path(description="Id of a token.", examples=["c9d2b7a4-6f7e-4d55-8a0b-2f4f6a1b3c5d"])
]


class Submission(Form):
    """What somebody brings to the public door."""

    workflow: Annotated[Name, Field(examples=["grievance"])]
    data: Annotated[
        Data,
        Field(
            examples=[
                {
                    "narrative": "窗口以系统故障为由三次拒绝受理。",
                    "respondent": "第一分局",
                    "categories": ["M01"],
                    "contact": {"name": "王某", "phone": "0374-0000000"},
                }
            ]
        ),
    ]
    channel: Channel = "web"
    altcha: Proof = None


class Tracking(Form):
    """Number and code of a submission."""

    number: OwnNumber
    code: Code
    altcha: Proof = None
    receipt: Annotated[
        dict[str, str] | None,
        Field(description="Not needed: so that what was answered can be sent back as it is."),
    ] = None


class PublicAct(Tracking):
    """A right the petitioner uses: object, withdraw, supply what was missing."""

    transition: Annotated[Name, Field(examples=["withdraw"])]
    data: Annotated[Data, Field(examples=[{"voluntary_statement": "本人自愿撤回。"}])] = {}


class Registration(Form):
    """What a member of staff registers."""

    workflow: Annotated[Name, Field(examples=["grievance"])]
    data: Annotated[
        Data, Field(examples=[{"narrative": "来访反映收费不开票。", "respondent": "第一分局"}])
    ]
    channel: StaffChannel = "staff"


class Move(Form):
    """What a transition brings."""

    data: Annotated[Data, Field(examples=[{"matter": "conduct"}])] = {}


class ExtensionRequest(Form):
    """More time, asked for by whoever holds the item."""

    deadline: Annotated[Name, Field(examples=["investigate"])]
    until: Annotated[date, Field(examples=["2026-12-31"])]
    reason: Annotated[Words, Field(examples=["需要外地协查,回函未到。"])]


class Assignment(Form):
    """Other people for a role of the item."""

    role: Annotated[Name, Field(examples=["handler"])]
    people: Annotated[list[Line], Field(max_length=50, examples=[["handler1", "handler2"]])]
    data: Annotated[Data, Field(examples=[{"declarations_signed": True}])] = {}


class RecusalRequest(Form):
    """Why somebody should stay out of an item, or may come back to it."""

    officer: Annotated[
        Line | None,
        Field(examples=["handler1"], description="An account; null means whoever holds the item."),
    ] = None
    ground: Annotated[
        Literal["party_or_relative", "interest", "other", "ended"],
        Field(examples=["interest"], description="`ended`: what barred them is over (with lift)."),
    ]
    reason: Annotated[Words, Field(examples=["与被投诉单位负责人是近亲属。"])]
    lift: Annotated[bool, Field(description="Ask that they may come back.")] = False


class Declaration(Form):
    """That nothing binds somebody to an item; or, with `conflict`, that something does."""

    conflict: Annotated[
        bool, Field(examples=[False], description="I must stay out: an application for recusal.")
    ] = False
    ground: Annotated[
        Literal["party_or_relative", "interest", "other"],
        Field(description="With `conflict`: what binds me."),
    ] = "other"
    reason: Annotated[Words | None, Field(description="With `conflict`: why.")] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.conflict and not self.reason:
            raise ValueError("conflict 须有 reason (needs reason)")
        return self


class Foresight(Form):
    """What might happen to an item's people; nothing is done."""

    accused: Annotated[
        list[Line], Field(max_length=50, examples=[["handler1"]], description="Named as accused.")
    ] = []
    recused: Annotated[list[Line], Field(max_length=50, description="Recused.")] = []
    gone: Annotated[list[Line], Field(max_length=50, description="Not here any more.")] = []


class OfficeForesight(BaseModel):
    """Somebody who would be away, or leave for good where no days are given."""

    model_config = ConfigDict(extra="forbid")

    leave: Annotated[Line, Field(description="Whose absence.", examples=["handler1"])]
    first: Annotated[date | None, Field(description="First day.", examples=["2026-12-01"])] = None
    last: Annotated[date | None, Field(description="Last day.", examples=["2026-12-11"])] = None
    substitute: Annotated[
        Line | None, Field(description="Who would stand in.", examples=["handler2"])
    ] = None


class RecusalWish(Form):
    """Why the petitioner thinks that somebody should stay out of the item."""

    officer: Annotated[
        Line | None,
        Field(examples=["陈志远"], description="A name or account; null means my handlers."),
    ] = None
    ground: Annotated[
        Literal["party_or_relative", "interest", "other"], Field(examples=["party_or_relative"])
    ]
    reason: Annotated[Words, Field(examples=["承办人是对方经营者的弟弟。"])]


class PublicRecusal(Tracking, RecusalWish):
    """The same with number and code."""


class Note(Form):
    """Something written down beside the item."""

    text: Annotated[Words, Field(examples=["已电话联系当事人,约定周三来局。"])]


Message = Annotated[str, _text(MOST_MESSAGE), AfterValidator(storable)]


class Wording(Form):
    """Words of the petitioner to the office."""

    body: Annotated[Message, Field(examples=["请问调查到什么程度了?"])]


class OriginalWanted(Form):
    """Why somebody needs a file as it was received."""

    reason: Annotated[Words, Field(examples=["需核对照片拍摄时间和地点,用于固定证据。"])]


class Ask(Form):
    """Why somebody needs to see who the petitioner is."""

    reason: Annotated[Words, Field(examples=["须当面核实收款收据。"])]
    fields: Annotated[
        list[Name],
        Field(max_length=20, examples=[["contact"]], description="Which; empty: all there are."),
    ] = []


class Decision(Form):
    """Why a request is granted or refused."""

    reason: Annotated[Words, Field(examples=["确有必要,仅限核实收据。"])]


class Hold(Form):
    """A legal hold, set or lifted."""

    held: Annotated[bool, Field(examples=[True])]
    reason: Annotated[Words, Field(examples=["行政诉讼期间保全证据。"])]


class EraseStep(Form):
    """The first step of erasing personal data, or its undoing."""

    step: Annotated[Literal["restrict", "release"], Field(examples=["restrict"])]
    reason: Annotated[Words, Field(examples=["当事人书面申请删除个人信息。"])]


class Told(Form):
    """One of the office's texts, for the petitioner, the holders or a role; or own words, for the
    petitioner alone, who reads them in the portal.
    """

    to: Annotated[Name, Field(examples=["public"], description="public, holder, or a role.")]
    text: Annotated[
        Name | None, Field(examples=["supplement_needed"], description="A text's name.")
    ] = None
    note: Annotated[Words | None, Field(description="Kept in the house, never sent.")] = None
    body: Annotated[
        Message | None, Field(description="Own words, instead of `text`; to: public only.")
    ] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.text is None) == (self.body is None):
            raise ValueError("text 与 body 写一个 (give either text or body)")
        if self.body is not None and (self.to != "public" or self.note is not None):
            raise ValueError("body 只写给当事人,不附 note (own words go to public, without a note)")
        return self


class Bulk(Form):
    """One act for many items; each succeeds or fails by itself."""

    numbers: Annotated[list[ItemNumber], Field(min_length=1, max_length=MOST)]
    act: Literal["urge", "reassign", "extend", "take_over"]
    note: Annotated[Words | None, Field(description="urge: kept as a note.")] = None
    role: Annotated[Name, Field(description="reassign, take_over: the role.")] = "handler"
    people: Annotated[
        list[Line], Field(max_length=50, description="reassign: who; take_over: who besides you.")
    ] = []
    data: Annotated[
        Data, Field(description="reassign, take_over: as in the first assignment.")
    ] = {}
    deadline: Annotated[Name | None, Field(description="extend: which.")] = None
    until: Annotated[date | None, Field(description="extend: to which day.")] = None
    reason: Annotated[Words | None, Field(description="extend: why.")] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.act == "extend" and not (self.deadline and self.until and self.reason):
            raise ValueError("extend 须有 deadline、until、reason (needs deadline, until, reason)")
        if self.act == "reassign" and not self.people:
            raise ValueError("reassign 须有 people (needs people)")
        return self

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"numbers": [NUMBER], "act": "urge", "note": "请尽快办理"}]
        },
    )


class ClockMove(Form):
    """How far the practice clock moves forward: by a length of time, or to a moment."""

    advance: Annotated[
        str | None, StringConstraints(max_length=40), Field(examples=["5 working days"])
    ] = None
    now: Annotated[AwareDatetime | None, Field(description="ISO 8601 with offset.")] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.advance is None) == (self.now is None):
            raise ValueError("advance 与 now 写一个 (give either advance or now)")
        return self
