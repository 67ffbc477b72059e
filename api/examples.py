"""Examples for the OpenAPI document: answers of a sample office about one grievance, and filters.

Whole answers, so that they agree with each other: the grievance was accepted on 23 November 2026,
nobody was assigned, and by 9 December its idle clock stood on the third rung. Every name, telephone
number, code and token in them is invented.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from api.examples_log import SIGNED_RECEIPT
from api.forms import CODE, NUMBER
from engine.views import SEALED

RECEIVED_AT = "2026-11-23T09:05:06+08:00"
ACCEPTED_AT = "2026-11-23T15:40:12+08:00"
IDLE_SINCE = "2026-11-27T00:00:00+08:00"
CLIMBED_AT = "2026-12-09T00:00:20+08:00"
DUE_AT = "2026-12-24T00:00:00+08:00"
NOW = "2026-12-09T16:05:07+08:00"
LINK = f"https://banjie.example/items/{NUMBER}"
CURSOR = "gAAAAABqGAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIj"
ATTACHMENT_ID = "0b1d8f0e-5a0c-4c39-9d3e-6f3f2f1f7c11"
REVEAL_ID = "0199c0de-7c1f-7000-8000-5f0e9d1c2b3a"
MESSAGE_ID = "01a2076f-f3e0-7f2a-9363-a98e105b1a12"
NOTICE = f"""文号：
事项编号：{NUMBER}

您于2026年11月23日反映第一分局及其工作人员执法行为的事项，符合受理条件，本机关决定予以受理。

                                        许昌市市场监督管理局
                                        2026年11月23日
"""
NOTICE_DIGEST = sha256(NOTICE.encode()).hexdigest()
GRIEVANCE = {
    "workflow": "grievance",
    "title": "行政执法投诉举报",
    "title_en": "Grievance about enforcement conduct",
}

FILTERS: dict[str, Any] = {
    "workflow": "grievance",
    "state": "accepted",
    "unit": "执法稽查科",
    "assignee": "handler1",
    "account": "handler1",
    "stalled": True,
    "due_before": "2026-12-31",
    "q": NUMBER[:9],
    "rung": 3,
    "status": "dead",
    "item": NUMBER,
    "cursor": CURSOR,
    "limit": 20,
    "role": "handler",
    "within": 90,
    "check": True,
    "confirm": False,
}
"""A value for each parameter that narrows or pages a list, by its name."""

RECEIPT = {"number": NUMBER, "code": CODE, "receipt": SIGNED_RECEIPT}
SESSION = {
    "token": "example-token-abcdefghijklmnopqrstuvwxyz012",
    "expires_at": "2026-12-10T04:05:07+08:00",
}

ENTRY: dict[str, Any] = {
    "number": NUMBER,
    **GRIEVANCE,
    "version": 1,
    "state": "accepted",
    "state_title": "已受理",
    "state_title_en": "Accepted",
    "revision": 3,
    "unit": "AUD",
    "channel": "web",
    "received_at": RECEIVED_AT,
    "entered_at": ACCEPTED_AT,
    "due_at": DUE_AT,
    "rung": 3,
    "stalled": True,
    "closed_at": None,
    "assignees": [],
}
GAP: dict[str, Any] = {
    "number": NUMBER,
    "workflow": "grievance",
    "state": "investigating",
    "kind": "reassign",
    "roles": ["handler"],
    "detail": "须改派承办人。Other people must be assigned as Handler.",
    "remedy": {
        "kind": "reassign",
        "people": ["handler2", "law_handler"],
        "role": "handler",
        "detail": "可由unit_head改派承办人:handler2、law_handler。"
        "unit_head can assign as Handler: handler2, law_handler.",
    },
}
GAPS = {"items": [GAP]}

WORKLIST = {"items": [ENTRY], "next": CURSOR}

HOLDERS = ["holder", "unit_head"]
ITEM: dict[str, Any] = ENTRY | {
    "data": {
        "channel": "web",
        "named_or_anonymous": "named",
        "respondent": "BR1",
        "categories": ["M01"],
        "category_codes": ["M01"],
        "subject_officers_or_unknown": "unknown",
        "risk_level": "low",
        "narrative": "窗口以系统故障为由三次拒绝受理。",
        "contact": SEALED,
    },
    "deadlines": [
        {
            "name": "investigate",
            "title": "办理",
            "kind": "limit",
            "rule": "grv.investigate",
            "span": "30 days",
            "until": None,
            "started_on": "2026-11-23",
            "due_on": "2026-12-23",
            "due_at": DUE_AT,
            "provisional": False,
            "paused": False,
            "extension": None,
            "rungs": [
                {
                    "at": "85%",
                    "level": 1,
                    "act": "urge",
                    "tell": HOLDERS,
                    "rings_at": "2026-12-19T09:00:00+08:00",
                    "climbed_at": None,
                },
            ],
        },
        {
            "name": "idle",
            "title": "已受理",
            "kind": "idle",
            "rule": "idle.intake",
            "span": "3 working days",
            "until": None,
            "started_on": "2026-11-23",
            "due_on": "2026-11-26",
            "due_at": IDLE_SINCE,
            "provisional": False,
            "paused": False,
            "extension": None,
            "rungs": [
                {
                    "at": "8 working days after",
                    "level": 3,
                    "act": "supervise",
                    "tell": [*HOLDERS, "deputy", "head"],
                    "rings_at": "2026-12-09T00:00:00+08:00",
                    "climbed_at": CLIMBED_AT,
                },
            ],
        },
    ],
    "available": [
        {
            "transition": "assign",
            "title": "交办",
            "title_en": "Assign",
            "allowed": True,
            "missing": ["handlers", "declarations_signed"],
            "reasons": [],
        },
        {
            "transition": "withdraw",
            "title": "撤回",
            "title_en": "Withdraw",
            "allowed": False,
            "missing": ["voluntary_statement"],
            "reasons": ["须由当事人办理。This is for: the person who brought it."],
        },
    ],
    "children": [],
    "parent": None,
    "declared": [],
    "attachments": [
        {"id": ATTACHMENT_ID, "kind": "jpg", "size": 2481135, "scan": "not_scanned", "flags": []}
    ],
}

JOURNAL = {
    "items": [
        {
            "seq": 1,
            "at": RECEIVED_AT,
            "actor": "public",
            "role": "public",
            "act": "submit",
            "from": "",
            "to": "received",
            "data": {"channel": "web", "respondent": "BR1", "categories": ["M01"]},
            "personal": {
                "narrative": "窗口以系统故障为由三次拒绝受理。",
                "contact": SEALED,
            },
            "commitment": "73877b6c008b22a9783facdb8efcecca6a10ba6668fa82208b1364a2d0fdc647",
            "hash": "daf3e0fc4b4dbe48b43823de7a22525a1981b5bb603e409469d2ffc8ce36d127",
        },
        {
            "seq": 2,
            "at": "2026-11-23T10:20:41+08:00",
            "actor": "intake",
            "role": "intake",
            "act": "register",
            "from": "received",
            "to": "screening",
            "data": {},
            "personal": {},
            "commitment": None,
            "hash": "fe05be43deae93b017247934edce36087207ff9cdd7f34b078b60d997c51ee99",
        },
    ],
    "next": None,
}
ATTACHMENT_GIVEN = {
    **ITEM["attachments"][0],
    "seq": 4,
    "sha256": sha256(b"photograph").hexdigest(),
    "from_public": True,
    "to_public": False,
    "erased": False,
    "at": ACCEPTED_AT,
    "by": "public",
}
ATTACHMENTS_LISTED = {
    "items": [
        {**ATTACHMENT_GIVEN, "name": "\u2068附件4.jpg\u2069", "title": "收费窗口照片", "note": None}
    ],
    "next": None,
}

DRAFTS = {
    "items": [
        {
            "seq": 3,
            "template": "acceptance_notice",
            "title": "受理告知书",
            "body": NOTICE,
            "sha256": NOTICE_DIGEST,
            "drafted_at": ACCEPTED_AT,
        }
    ],
    "next": None,
}

STALLS = {
    "items": [
        {
            "number": NUMBER,
            **GRIEVANCE,
            "state": "accepted",
            "state_title": "已受理",
            "kind": "idle",
            "deadline": "idle",
            "rule": "idle.intake",
            "rung": 3,
            "since": IDLE_SINCE,
            "holder": ["unit_head"],
            "next_rung_at": "2026-12-16T00:00:00+08:00",
        }
    ],
    "next": None,
}
BULK_RESULTS = {
    "results": [
        {"number": NUMBER, "ok": True, "status": 200, "problem": None},
        {
            "number": "执诉2026-0000000000",
            "ok": False,
            "status": 404,
            "problem": {
                "type": "/problems/not-found",
                "title": "There is no such thing, or it is not yours to know of.",
                "status": 404,
                "detail": "没有这个事项,请核对编号。There is no such item; check its number.",
                "instance": "urn:uuid:0199c0de-7c1f-7000-8000-5f0e9d1c2b3a",
            },
        },
    ]
}

MESSAGES = {
    "items": [
        {
            "id": MESSAGE_ID,
            "item": NUMBER,
            "rule": "idle.intake",
            "rung": 2,
            "recipient": "unit_head",
            "channel": "mail",
            "text": "supervise",
            "status": "sent",
            "attempts": 1,
            "created_at": CLIMBED_AT,
            "sent_at": "2026-12-09T00:00:23+08:00",
            "receipt": "250 2.0.0 Ok",
        }
    ],
    "next": None,
}
INBOX = {
    "items": [
        {
            "id": MESSAGE_ID,
            "item": NUMBER,
            "rung": 2,
            "title": "【督办】须说明理由 Under supervision - state your reason",
            "body": f"行政执法投诉举报 {NUMBER} 的“已受理”（2026-11-26）列入督办，"
            f"《督办单》已发出，须书面说明理由并列入月度通报：{LINK}",
            "created_at": CLIMBED_AT,
        }
    ],
    "next": None,
}

TRACKED = {
    "number": NUMBER,
    **GRIEVANCE,
    "state": {
        "name": "accepted",
        "title": "已受理",
        "title_en": "Accepted",
        "plain": "您反映的事项现由执法稽查科办理，处于“已受理”环节。",
        "plain_en": "Your submission stands at: Accepted.",
        "final": False,
        "since": ACCEPTED_AT,
    },
    "unit": {"code": "AUD", "name": "执法稽查科"},
    "received_at": RECEIVED_AT,
    "due": {
        "name": "investigate",
        "title": "办理",
        "title_en": "Investigate and decide",
        "due_on": "2026-12-23",
        "due_at": DUE_AT,
        "provisional": False,
        "paused": False,
        "working": [
            {
                "date": "2026-11-23",
                "counts": False,
                "why": "起算日不计 day 0, not counted · 周一，工作日 workday",
            },
            {"date": "2026-11-24", "counts": True, "why": "第1日 no. 1 · 周二，工作日 workday"},
        ],
    },
    "deadlines": [
        {
            "name": "investigate",
            "title": "办理",
            "title_en": "Investigate and decide",
            "due_on": "2026-12-23",
            "due_at": DUE_AT,
            "provisional": False,
            "paused": False,
        }
    ],
    "unread": 1,
    "messages": [
        {
            "at": ACCEPTED_AT,
            "title": "已受理 Accepted",
            "body": f"您的事项{NUMBER}已受理，受理告知书和办理期限请看：{LINK}",
        }
    ],
    "letters": [
        {
            "title": "受理告知书",
            "body": NOTICE,
            "drafted_at": ACCEPTED_AT,
            "digest": NOTICE_DIGEST,
        }
    ],
    "invitations": ["问卷2026-0123456789"],
    "reveals": [
        {
            "at": ACCEPTED_AT,
            "act": "reveal_request",
            "reveal": REVEAL_ID,
            "role": "受理登记员",
            "role_en": "Intake officer",
            "unit": "办公室",
            "why": "须当面核实收款收据。",
        }
    ],
    "rights": [
        {
            "transition": "withdraw",
            "title": "撤回",
            "title_en": "Withdraw",
            "allowed": True,
            "reasons": [],
            "fields": [
                {
                    "name": "voluntary_statement",
                    "title": "自愿撤回声明",
                    "title_en": "Statement of free withdrawal",
                    "type": "long_text",
                    "required": True,
                }
            ],
            "until": None,
        }
    ],
    "receipt": SIGNED_RECEIPT,
}

REVEAL = {
    "id": REVEAL_ID,
    "number": NUMBER,
    "status": "granted",
    "detail": "已批准,由申请人在10分钟内查看,每次查看都有记录。"
    "Granted: who asked may look for 10 minutes; each look is recorded.",
    "fields": ["contact"],
    "protection": "confidential",
    "requester": "intake",
    "approver": "liaison",
    "asked_at": ACCEPTED_AT,
    "lapses_at": IDLE_SINCE,
    "decided_at": ACCEPTED_AT,
    "shown_until": ACCEPTED_AT,
    "data": {"contact": {"name": "王某", "phone": "0374-0000000"}},
}
REVEALS = {"items": [REVEAL | {"status": "ended", "data": None}], "next": None}

KEPT = {
    "number": NUMBER,
    "step": "restricted",
    "held": False,
    "ground": "request",
    "restricted_at": ACCEPTED_AT,
    "shreds_at": DUE_AT,
    "shredded_at": None,
}
LIKENESSES = {
    "items": [{"number": "执诉2026-0771234567", "workflow": "grievance", "by": ["phone"]}],
    "next": None,
}

CLUSTER = {
    "items": [
        {
            "number": "执诉2026-0123456789",
            "workflow": "grievance",
            "state": "investigating",
            "received_at": "2026-11-12T09:30:00+08:00",
            "cluster": "category_unit:BR1:M03",
        }
    ],
    "next": None,
}
BEGUN = {"numbers": ["研判2026-0123456789"]}

ANSWERS = {
    "Cluster": CLUSTER,
    "Begun": BEGUN,
    "Kept": KEPT,
    "Likenesses": LIKENESSES,
    "RevealView": REVEAL,
    "Reveals": REVEALS,
    "Receipt": RECEIPT,
    "Session": SESSION,
    "Worklist": WORKLIST,
    "Gaps": GAPS,
    "GapView": GAP,
    "RemedyView": GAP["remedy"],
    "Item": ITEM,
    "Journal": JOURNAL,
    "Drafts": DRAFTS,
    "AttachmentsGiven": {"items": [ATTACHMENT_GIVEN]},
    "AttachmentsListed": ATTACHMENTS_LISTED,
    "Stalls": STALLS,
    "BulkResults": BULK_RESULTS,
    "Messages": MESSAGES,
    "Inbox": INBOX,
    "Tracked": TRACKED,
}
"""An example of each answer, by the name of its schema."""
