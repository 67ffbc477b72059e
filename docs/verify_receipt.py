"""Check a receipt of Banjie without trusting the office that gave it: Python 3.9 and `cryptography`.

    python3 verify_receipt.py KEY ADDRESS receipt.json

KEY is the office's public key (name+id+key) from its notice board or letters, not from ADDRESS.
Exit 0: the receipt is right and the log holds it.
"""
# ruff: noqa: S310, T201 - a script for one address, which speaks to a person

import base64
import hashlib
import json
import sys
import urllib.request
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def climb(found: bytes, at: int, last: int, proof: list) -> bytes:
    """The root that a proof leads to from the leaf numbered `at` of 0..last (RFC 9162, 2.1.3.2)."""
    for each in map(bytes.fromhex, proof):
        if at % 2 or at == last:
            found = hashlib.sha256(b"\x01" + each + found).digest()
            while at % 2 == 0 and at:
                at, last = at >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + each).digest()
        at, last = at >> 1, last >> 1
    return found if last == 0 else b""


if not sys.argv[3:]:
    sys.exit(__doc__)
name, _, rest = sys.argv[1].partition("+")
public = base64.b64decode(rest.partition("+")[2])
key = Ed25519PublicKey.from_public_bytes(public[1:])
told = json.loads(Path(sys.argv[3]).read_text("utf-8"))
told = told.get("receipt", told)
words = ("banjie-receipt-v1", *(told[part] for part in ("log", "number", "time", "event")))
try:
    key.verify(base64.b64decode(told["signature"]), "".join(f"{x}\n" for x in words).encode())
    url = f"{sys.argv[2]}/api/v1/log/proof?event={told['event']}"
    shown = json.load(urllib.request.urlopen(url, timeout=20))
    text, _, signatures = shown["note"].rpartition("\n\n")
    signed = base64.b64decode(signatures.splitlines()[0].rpartition(" ")[2])
    key.verify(signed[4:], f"{text}\n".encode())
except (InvalidSignature, OSError) as error:
    sys.exit(f"不能证明:签名无效,或总账中没有。Not proved: {type(error).__name__} {error}")
origin, size, root = text.split("\n")[:3]
leaf = f"banjie-event-v1\n{told['number']}\n1\n{told['event']}\n".encode()
top = hashlib.sha256(b"\x00" + leaf).digest()
top = climb(top, shown["position"], int(size) - 1, shown["proof"])
if origin != name or told["log"] != name or top != base64.b64decode(root):
    sys.exit("不能证明:总账与这份回执不符。Not proved: the log does not hold what it says.")
print(f"有效:{told['number']} {told['time']} 是总账第 {shown['position'] + 1} 条。Proved.")
