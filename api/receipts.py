"""The page on which anybody checks a receipt, and the script that checks it without trusting us."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path
from typing import Annotated

import orjson
from fastapi import APIRouter, Form
from starlette.responses import FileResponse, HTMLResponse

from api.counter import Counter, Process
from api.pages import page
from engine import log, merkle
from engine.checkpoints import newest
from engine.errors import NotFound
from engine.signatures import read_checkpoint, receipt_holds
from engine.workdays import SHANGHAI

router = APIRouter(include_in_schema=False)
SCRIPT = Path(__file__).resolve().parents[1] / "docs" / "verify_receipt.py"
MOST = 2000

FORM = """<h1>核对回执<small lang="en">Check a receipt</small></h1>
{verdict}<form method="post" action="/receipts">
<p><label for="receipt">把提交时收到的回执原样粘贴在这里
<span lang="en">Paste the receipt as you were given it</span></label></p>
<p><textarea id="receipt" name="receipt" rows="10" required maxlength="2000" spellcheck="false"
autocomplete="off">{text}</textarea></p>
<p><button type="submit">核对 <span lang="en">Check</span></button></p>
</form>
<h2>不相信本页？<small lang="en">You would rather not trust this page?</small></h2>
<p>下载<a href="/receipts/verify_receipt.py">核对程序</a>，在自己的电脑上用本机关公布的公钥核对，不必相信本机关的任何一台机器：
<span lang="en">Run the script on your own machine, with the public key the office has printed:</span></p>
<pre>python3 verify_receipt.py '{key}' {address} receipt.json</pre>"""
VERDICT = '<p class="verdict {mark}" role="status"><strong>{told}</strong><br>{told_en}</p>\n'

UNREADABLE = (
    "这不是一份回执，请把收到的内容原样粘贴。",
    "This is no receipt; paste all of what you were given.",
)
FORGED = (
    "回执无效：签名不是本机关的，或内容被改过。",
    "Not valid: the signature is not this office's, or the words were changed.",
)
WAITING = (
    "签名有效，但总账的最新检查点中还没有它。新提交的约一分钟后列入；一天后仍没有，请持回执向上级机关反映。",
    "The signature is right, but the log does not hold it yet. If it is missing after a day, tell others.",
)
RIGHT = (
    "回执有效：{number} 于 {time} 登记，记录在总账第 {position} 条，至今未被删改。",
    "Valid: registered then, and event {position} of the log proves it.",
)


@router.get("/receipts")
def form(counter: Process) -> HTMLResponse:
    """The empty form."""
    return _page(counter)


@router.post("/receipts")
def check(counter: Process, receipt: Annotated[str, Form(max_length=MOST)] = "") -> HTMLResponse:
    """The form with a verdict on what was pasted."""
    try:
        told = orjson.loads(receipt)
        if isinstance(told, dict) and isinstance(told.get("receipt"), dict):
            told = told["receipt"]  # the whole answer of the submission was pasted
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict) or not all(isinstance(each, str) for each in told.values()):
        return _page(counter, receipt, "wrong", UNREADABLE)
    trusted = [counter.signer.verifier, *counter.checkpoints.verifiers()]
    if not any(receipt_holds(verifier, told) for verifier in trusted):
        return _page(counter, receipt, "wrong", FORGED)
    position = _position(counter, told["number"], bytes.fromhex(told["event"]))
    if position is None:
        return _page(counter, receipt, "waiting", WAITING)
    moment = datetime.fromisoformat(told["time"]).astimezone(SHANGHAI)
    facts = {
        "number": told["number"],
        "time": f"{moment:%Y-%m-%d %H:%M:%S}",
        "position": position + 1,
    }
    return _page(counter, receipt, "right", (RIGHT[0].format(**facts), RIGHT[1].format(**facts)))


def _position(counter: Counter, number: str, event: bytes) -> int | None:
    """Where the log has an item's first event, proved against the newest checkpoint; None: nowhere."""
    with counter.database.transaction() as session:
        try:
            head = read_checkpoint(newest(session).note)
            found = log.inclusion(session, log.Leaf.hashed(event), head.size)
        except NotFound:
            return None
    leaf = log.leaf_of(number, 1, event)
    shown = merkle.included(leaf, found.position, head.size, found.hashes, head.root)
    return found.position if shown else None


@router.get("/receipts/verify_receipt.py")
def script() -> FileResponse:
    """The script, as text."""
    return FileResponse(SCRIPT, media_type="text/plain; charset=utf-8", filename=SCRIPT.name)


def _page(
    counter: Counter, text: str = "", mark: str = "", told: tuple[str, str] | None = None
) -> HTMLResponse:
    verdict = ""
    if told is not None:
        verdict = VERDICT.format(
            mark=mark, told=escape(told[0]), told_en=f'<span lang="en">{escape(told[1])}</span>'
        )
    body = FORM.format(
        verdict=verdict,
        text=escape(text),
        key=escape(str(counter.signer.verifier)),
        address=escape(counter.settings.address),
    )
    return page("核对回执 Check a receipt", body)
