"""Examples for the OpenAPI document: answers of the citizens' portal. All of them are invented."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from api.examples import CURSOR, GRIEVANCE, NOW, SESSION

CHALLENGE = {
    "parameters": {
        "algorithm": "PBKDF2/SHA-256",
        "cost": 5000,
        "keyLength": 32,
        "keyPrefix": "00",
        "nonce": "323982175aa0553f2f120a826a6d5b9d",
        "salt": "40fa061ce25752b94c0603d980114d81",
        "expiresAt": 1795425243,
    },
    "signature": sha256(b"example").hexdigest(),
}

QUESTIONNAIRE = {
    "code": "XC-YFXZ-2023",
    "version": 1,
    "template_version": "XC-YFXZ-2023.1.0123456789ab",
    "title": "依法行政调查问卷",
    "title_in_text": "依法行政工作测评（测评问卷）",
    "sections": [
        {
            "id": "B",
            "heading": "问答项",
            "questions": [
                {
                    "id": "E2",
                    "stem": "您认为许昌在法治政府建设方面总体程度如何？有无你认为的不足之处和建设意见？",
                    "kind": "long_text",
                    "required": False,
                    "many": False,
                    "options": [],
                    "follow_up": None,
                    "most": 2000,
                }
            ],
        }
    ],
}

ANSWERS: dict[str, Any] = {
    "PortalSession": SESSION,
    "Challenge": CHALLENGE,
    "Conversation": {
        "items": [
            {
                "seq": 5,
                "at": NOW,
                "from": "petitioner",
                "unit": None,
                "role": None,
                "body": "请问调查到什么程度了?",
            },
            {
                "seq": 6,
                "at": NOW,
                "from": "office",
                "unit": "执法稽查科",
                "role": "承办人",
                "body": "已向窗口调取当日记录,预计下周书面答复。",
            },
        ],
        "next": CURSOR,
    },
    "Correspondence": {
        "items": [
            {
                "seq": 6,
                "at": NOW,
                "from": "office",
                "actor": "handler1",
                "role": "handler",
                "body": "已向窗口调取当日记录,预计下周书面答复。",
            }
        ],
        "next": CURSOR,
    },
    "Rights": {
        **GRIEVANCE,
        "on": "2026-12-09",
        "sections": [
            {
                "title": "办理期限",
                "title_en": "Time limits",
                "body": "转送：5日（法定期限；河南省优化营商环境条例 第七十八条：五日内转有关部门）",
                "body_en": "Transfer: 5 days (statutory)",
            }
        ],
        "limits": [
            {
                "deadline": "transfer",
                "title": "转送",
                "title_en": "Transfer",
                "when": None,
                "rule": "grv.transfer",
                "span": "5 days",
                "span_zh": "5日",
                "extension": None,
                "extension_zh": None,
                "weight": "statutory",
                "source": "河南省优化营商环境条例 第七十八条：五日内转有关部门",
            }
        ],
        "acts": [
            {
                "transition": "object",
                "title": "提出异议",
                "title_en": "Object",
                "states": ["已答复"],
                "fields": ["异议理由"],
            }
        ],
    },
    "Questionnaire": QUESTIONNAIRE,
    "Invitations": {
        "items": [
            {
                "number": "问卷2026-0123456789",
                "state": "invited",
                "invited_at": NOW,
                "open_until": NOW,
                "questionnaire": QUESTIONNAIRE,
            }
        ]
    },
    "Posted": {"seq": 5, "at": NOW},
}
"""An example of each answer, by the name of its schema."""
