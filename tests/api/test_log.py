"""The log at the counter: receipts, checkpoints and proofs that anybody may check, and no oracle."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import uvicorn

from engine import log, merkle
from engine.checkpoints import publish
from engine.signatures import FIRST, note_digest, read_checkpoint, read_verifier, receipt_holds
from tests.api.conftest import GRIEVANCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.conftest import Desk

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "verify_receipt.py"


def keep(desk: Desk, every: float = 0) -> None:
    """What the worker does every few seconds: append, and sign where it is time."""
    counter = desk.app.state.counter
    log.sequence(desk.worker)
    _, faults = publish(desk.worker, counter.signer, counter.settings.checkpoints_path, every=every)
    assert faults == []


def submitted(desk: Desk) -> dict[str, Any]:
    """The answer to somebody who complains."""
    body = {"workflow": "grievance", "data": GRIEVANCE}
    answer: dict[str, Any] = desk.client.post("/api/v1/submissions", json=body).json()
    return answer


def proof_of(desk: Desk, event: str) -> Any:
    """What anybody is told of an event."""
    return desk.client.get("/api/v1/log/proof", params={"event": event})


@contextmanager
def served(desk: Desk) -> Iterator[str]:
    """The same application behind a real port."""
    server = uvicorn.Server(uvicorn.Config(desk.app, port=0, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        pass
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def test_a_receipt_is_given_and_given_again(desk: Desk) -> None:
    """The petitioner gets it with the code, and the same one whenever they look."""
    told = submitted(desk)
    receipt = told["receipt"]
    assert receipt_holds(desk.app.state.counter.signer.verifier, receipt)
    assert receipt["number"] == told["number"]
    form = {"number": told["number"], "code": told["code"]}
    tracked = desk.client.post("/api/v1/submissions/track", json=form).json()
    assert tracked["receipt"] == receipt


def test_the_same_request_gets_the_same_receipt(desk: Desk) -> None:
    """A retry whose first answer was lost has the receipt too."""
    body = {"workflow": "grievance", "data": GRIEVANCE}
    headers = {"Idempotency-Key": "once"}
    first, again = (
        desk.client.post("/api/v1/submissions", json=body, headers=headers).json() for _ in "12"
    )
    assert first == again


def test_an_event_is_proved_to_whoever_knows_its_hash(desk: Desk) -> None:
    """The leaf of the receipt leads to the root that was signed."""
    receipt = submitted(desk)["receipt"]
    submitted(desk)
    assert proof_of(desk, receipt["event"]).status_code == 404
    keep(desk)
    answer = proof_of(desk, receipt["event"]).json()
    told = desk.client.get("/api/v1/log/checkpoint").json()
    assert told["note"] == answer["note"]
    assert read_verifier(told["key"]).signed(told["note"])
    head = read_checkpoint(told["note"])
    assert (head.size, head.root.hex(), head.origin) == (told["size"], told["root"], told["origin"])
    leaf = log.leaf_of(receipt["number"], 1, bytes.fromhex(receipt["event"]))
    assert leaf.hex() == answer["leaf"]
    hashes = [bytes.fromhex(each) for each in answer["proof"]]
    assert merkle.included(leaf, answer["position"], head.size, hashes, head.root)


def test_the_log_is_proved_to_have_only_grown(desk: Desk) -> None:
    """Two checkpoints are linked, by the digest and by the proof between their sizes."""
    heads = []
    for _ in range(2):
        submitted(desk)
        keep(desk)
        told = desk.client.get("/api/v1/log/checkpoint").json()
        heads.append(told)
    first, second = heads
    assert first["previous"] == FIRST.hex()
    assert second["previous"] == note_digest(first["note"]).hex()
    asked = {"first": first["size"], "second": second["size"]}
    proof = desk.client.get("/api/v1/log/consistency", params=asked).json()["proof"]
    old, new = (bytes.fromhex(head["root"]) for head in heads)
    hashes = [bytes.fromhex(each) for each in proof]
    assert merkle.consistent(first["size"], second["size"], old, new, hashes)
    beyond = {"first": 1, "second": second["size"] + 1}
    assert desk.client.get("/api/v1/log/consistency", params=beyond).status_code == 422
    assert (
        desk.client.get("/api/v1/log/consistency", params=asked | {"first": 99}).status_code == 422
    )


def test_a_proof_is_no_oracle_for_an_item(desk: Desk) -> None:
    """Without a login a number tells nothing; with one, a hidden item is answered as one that never
    was; whoever sees the item is told.
    """
    number = submitted(desk)["number"]
    keep(desk)
    assert proof_of(desk, f"{number}:1").status_code == 401
    hidden = desk.look("branch1_handler", "/log/proof", event=f"{number}:1")
    absent = desk.look("branch1_handler", "/log/proof", event="执诉2026-0000000000:1")
    bare = [re.sub(r"urn:uuid:[-0-9a-f]+", "", each.text) for each in (hidden, absent)]
    assert (hidden.status_code, bare[0]) == (404, bare[1])
    assert desk.look("intake", "/log/proof", event=f"{number}:1").status_code == 200
    assert desk.look("intake", "/log/proof", event=f"{number}:99").status_code == 404
    assert desk.look("intake", "/log/proof", event="nonsense").status_code == 422
    assert proof_of(desk, "0" * 64).status_code == 404


def test_before_the_first_checkpoint_there_is_none(desk: Desk) -> None:
    """And that is said in a sentence."""
    answer = desk.client.get("/api/v1/log/checkpoint")
    assert answer.status_code == 404
    assert "检查点" in answer.json()["detail"]


def test_the_page_judges_a_receipt(desk: Desk) -> None:
    """Right, forged, not yet there, and nonsense; what was pasted is shown again, harmless."""
    told = submitted(desk)

    def verdict(pasted: str) -> str:
        return str(desk.client.post("/receipts", data={"receipt": pasted}).text)

    assert "<form" in desk.client.get("/receipts").text
    assert "还没有它" in verdict(json.dumps(told["receipt"]))
    keep(desk)
    assert "回执有效" in verdict(json.dumps(told["receipt"]))
    assert "回执有效" in verdict(json.dumps(told, ensure_ascii=False))
    for change in ({"number": "执诉2026-0000000000"}, {"event": "0" * 64}, {"time": "2020-01-01"}):
        assert "回执无效" in verdict(json.dumps(told["receipt"] | change)), change
    for nonsense in ("", "{}", "[]", '{"receipt": 1}', '"><script>alert(1)</script>', "9" * 2000):
        page = verdict(nonsense)
        assert "回执有效" not in page
        assert "<script" not in page


@pytest.mark.parametrize("receipt", ["right", "forged"])
def test_the_script_proves_a_receipt_against_the_real_server(
    desk: Desk, tmp_path: Path, receipt: str
) -> None:
    """As a petitioner runs it, in a process of its own; a forged receipt ends it with a sentence."""
    told = submitted(desk)
    keep(desk)
    if forged := receipt == "forged":
        told["receipt"]["number"] = "执诉2026-0000000000"
    paper = tmp_path / "receipt.json"
    paper.write_text(json.dumps(told, ensure_ascii=False), "utf-8")
    key = str(desk.app.state.counter.signer.verifier)
    with served(desk) as address:
        script = desk.client.get("/receipts/verify_receipt.py").text
        assert script == SCRIPT.read_text("utf-8")
        assert len(script.splitlines()) <= 60
        done = subprocess.run(
            [sys.executable, str(SCRIPT), key, address, str(paper)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, "Proved" in done.stdout) == ((1, False) if forged else (0, True)), done
    assert bool(done.stderr) == forged


def test_a_witness_reads_the_log_over_http(desk: Desk, tmp_path: Path) -> None:
    """As the other party's timer runs it: cosigned, nothing new, and refused once another past is
    shown, with exit 1 and a sentence; its file then stays as it was.
    """
    submitted(desk)
    keep(desk)
    key, file = tmp_path / "own" / "witness.key", tmp_path / "own" / "seen.txt"

    def witness(address: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("banjie")), "witness", address]
        return subprocess.run(
            [*command, "--key", str(key), "--file", str(file)],
            env={"BANJIE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    with served(desk) as address:
        first, second = witness(address), witness(address)
        assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
        assert "cosigned" in first.stdout
        assert "no new checkpoint" in second.stdout
        seen = file.read_bytes()
        submitted(desk)
        with psycopg.connect(desk.url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute("DELETE FROM checkpoint")
            connection.execute("UPDATE log_node SET hash = sha256(hash)")
        counter = desk.app.state.counter
        log.sequence(counter.database)
        publish(counter.database, counter.signer, tmp_path / "elsewhere", every=0)
        refused = witness(address)
    assert refused.returncode == 1
    assert "rewritten" in refused.stderr
    assert file.read_bytes() == seen
