"""Examples for the OpenAPI document: sessions, credentials, tokens, what happened at the door. Every
token, code and secret in them is invented.
"""

from __future__ import annotations

from typing import Any

from api.forms import RECOVERY_CODE

SESSION_ID = "5b0f8a2e-31c4-4a0e-9d7c-6f2f0b1f8a11"
MADE_ID = "c9d2b7a4-6f7e-4d55-8a0b-2f4f6a1b3c5d"
BEGAN_AT = "2026-12-09T08:31:02+08:00"
NOW = "2026-12-09T16:05:07+08:00"
LASTS = "2026-12-09T20:31:02+08:00"
SCOPES = ["read", "submit"]

ANSWERS: dict[str, dict[str, Any]] = {
    "Sessions": {
        "items": [
            {
                "id": SESSION_ID,
                "by_cookie": True,
                "began_at": BEGAN_AT,
                "last_seen_at": NOW,
                "expires_at": LASTS,
                "current": True,
            }
        ],
        "next": None,
    },
    "CurrentSession": {
        "account": "handler1",
        "name": "何立行",
        "owes": None,
        "fresh": True,
        "form_token": None,
    },
    "Credentials": {"second_factor": True, "recovery_codes": 10},
    "FactorOffer": {
        "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        "uri": "otpauth://totp/Banjie:handler1?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Banjie",
        "picture": '<svg xmlns="http://www.w3.org/2000/svg" width="180" height="180">…</svg>',
    },
    "RecoveryCodes": {"recovery_codes": [RECOVERY_CODE]},
    "Tokens": {
        "items": [
            {
                "id": MADE_ID,
                "account": "handler1",
                "name": "12345 热线接口",
                "scopes": SCOPES,
                "created_by": "handler1",
                "created_at": BEGAN_AT,
                "expires_at": "2027-03-09T08:31:02+08:00",
                "last_used_at": NOW,
                "ended_at": None,
            }
        ],
        "next": None,
    },
    "NewToken": {
        "id": MADE_ID,
        "token": "bjt_example-token-abcdefghijklmnopqrstuvwxyz012",
        "scopes": SCOPES,
        "expires_at": "2027-03-09T08:31:02+08:00",
    },
    "TemporaryPassword": {"account": "handler1", "password": "k7q2x-9m3zp-4t8vh-1n6rj"},
    "WayInAsked": {"account": "handler1", "until": "2026-12-16T16:05:07+08:00"},
    "AccessEvents": {
        "items": [
            {
                "id": 4711,
                "at": BEGAN_AT,
                "act": "login_refused",
                "reason": "wrong_password",
                "person": "handler1",
                "actor": None,
                "subject": None,
            }
        ],
        "next": None,
    },
}
