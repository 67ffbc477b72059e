"""Examples about the log for the OpenAPI document, signed with a key that nobody uses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.log import leaf_of
from engine.merkle import node_hash
from engine.signatures import FIRST, Signer, TreeHead, checkpoint_text, receipt

_SIGNER = Signer(bytes(32))
_NUMBER = "执诉2026-0234386116"
_EVENTS = (
    bytes.fromhex("daf3e0fc4b4dbe48b43823de7a22525a1981b5bb603e409469d2ffc8ce36d127"),
    bytes.fromhex("fe05be43deae93b017247934edce36087207ff9cdd7f34b078b60d997c51ee99"),
)
_LEAVES = [leaf_of(_NUMBER, seq, event) for seq, event in enumerate(_EVENTS, 1)]
_SIGNED_AT = datetime.fromisoformat("2026-11-23T10:21:00+08:00")
_ROOT = node_hash(*_LEAVES)
_NOTE = _SIGNER.sign(checkpoint_text(TreeHead(_SIGNER.name, 2, _ROOT, _SIGNED_AT, FIRST)))

SIGNED_RECEIPT = receipt(
    _SIGNER, _NUMBER, datetime.fromisoformat("2026-11-23T09:05:06.123456+08:00"), _EVENTS[0]
)
ANSWERS: dict[str, Any] = {
    "SignedReceipt": SIGNED_RECEIPT,
    "SignedHead": {
        "origin": _SIGNER.name,
        "size": 2,
        "root": _ROOT.hex(),
        "time": _SIGNED_AT.isoformat(),
        "previous": FIRST.hex(),
        "note": _NOTE,
        "key": str(_SIGNER.verifier),
    },
    "Consistency": {"first": 1, "second": 2, "proof": [_LEAVES[1].hex()]},
    "Inclusion": {
        "position": 0,
        "size": 2,
        "leaf": _LEAVES[0].hex(),
        "proof": [_LEAVES[1].hex()],
        "note": _NOTE,
    },
}
"""An example of each answer, by the name of its schema."""
