"""Unique words in every personal field, driven through the real application, looked for everywhere.

Whatever a citizen says passes through requests, logs, messages, mails, Valkey, letters, exports and
backups. None of those may hold it; the pages of those who work on the matter may, but for identities.
"""

from __future__ import annotations

import base64
import logging
import subprocess
import warnings
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
import redis
from pydantic import SecretStr

from adapters import sample
from adapters.backups import _program, back_up
from adapters.ocel import export_ocel
from api.main import create_app
from engine import journal
from engine.database import Database
from engine.settings import Settings
from engine.walls import SYS
from engine.workdays import SHANGHAI
from tests.adapters.test_mail import Postmaster, serving
from tests.adapters.test_worker import Yard, until
from tests.api.conftest import ACCEPTANCE, Desk

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would rather have a client that is not out yet
    from starlette.testclient import TestClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from httpx import Response

BEGUN_BY_THE_PUBLIC = ("grievance", "mediation", "review")
SECRET = ("contact", "identity", "transactionref")
"""What the canaries of identities hold."""
CONTACTS = ("contact", "respondent_contact", "representative_1", "representative_2")


def canary(*path: str) -> str:
    """A word that stands nowhere else, for one field."""
    return f"zq{'x'.join(path)}qz".replace("_", "")


def contact(workflow: str) -> dict[str, str]:
    """A contact of canaries."""
    return {
        part: canary(workflow, "contact", part) for part in ("name", "phone", "address", "email")
    }


@dataclass
class Sky:
    """The application with the worker, the mail server and Valkey around it, and all it ever said."""

    desk: Desk
    home: Path
    yard: Yard
    postmaster: Postmaster
    redis_url: str
    planted: set[str] = field(default_factory=set)
    given: set[tuple[str, str]] = field(default_factory=set)  # workflow and personal field
    answers: list[tuple[str, str, str]] = field(default_factory=list)  # account, path, body
    logs: Callable[[], str] = field(default=str)

    def put(self, workflow: str, **names: None) -> dict[str, Any]:
        """Canaries for these fields of a workflow."""
        found: dict[str, Any] = {}
        for name in names:
            value = contact(workflow) if name in CONTACTS else canary(workflow, name)
            self.planted |= set(value.values()) if isinstance(value, dict) else {value}
            self.given.add((workflow, name))
            found[name] = value
        return found

    def heard(self, account: str, path: str, answer: Response) -> Response:
        """Remember an answer."""
        self.answers.append((account, path, answer.text))
        return answer

    def post(self, account: str, number: str, path: str, body: dict[str, Any]) -> Response:
        """A write on an item as it stands."""
        revision = self.desk.one("SELECT revision FROM item WHERE number = %s", number)
        url = f"/items/{number}{path}"
        answer = self.desk.send(
            account, url, body, If_Match=f'"{revision}"', Idempotency_Key=f"k{len(self.answers)}"
        )
        return self.heard(account, f"POST {url}", answer)

    def move(self, account: str, number: str, name: str, **data: Any) -> None:
        """A transition that must succeed."""
        answer = self.post(account, number, f"/transitions/{name}", {"data": data})
        assert answer.status_code == 200, (name, answer.text)

    def public(self, path: str, body: dict[str, Any]) -> Any:
        """At the public door."""
        headers = {"Idempotency-Key": f"k{len(self.answers)}"}
        answer = self.desk.client.post(f"/api/v1{path}", json=body, headers=headers)
        self.heard("public", f"POST {path}", answer)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def everywhere(self) -> dict[str, bytes]:
        """All that left the application or lies on a disk, by where it was found."""
        folder = self.home / f"out{uuid4().hex}"
        folder.mkdir()
        database = Database(self.desk.url, 1, principal=SYS)
        export_ocel(database, folder / "log.json")
        database.close()
        back_up(self.desk.url, folder / "backup", self.home)
        run = subprocess.run(
            [_program("pg_dump"), "--inserts", f"--dbname={self.desk.url}"],
            check=True,
            capture_output=True,
        )
        restored = subprocess.run(
            [_program("pg_restore"), "--file=-", str(folder / "backup" / "banjie.dump")],
            check=True,
            capture_output=True,
        )
        with redis.Redis.from_url(self.redis_url) as valkey:
            kept = [(name, valkey.type(name)) for name in valkey.scan_iter()]
            raw = b"".join(name + (valkey.dump(name) or b"") for name, _ in kept)
        return {
            "dump": run.stdout,
            "backup": restored.stdout
            + b"".join(path.read_bytes() for path in sorted((folder / "backup").glob("*.json"))),
            "export": (folder / "log.json").read_bytes(),
            "mails": b"\n".join(
                part
                for letter in self.postmaster.letters()
                for part in (str(letter["Subject"]).encode(), letter.get_content().encode())
            ),
            "valkey": raw,
            "logs": self.logs().encode(),
            "worker log": self.yard.log.read_bytes() if self.yard.log.exists() else b"",
        }

    def leaks(self) -> set[tuple[str, str]]:
        """(where, canary) of everything found where it must not be."""
        found = {
            (where, word)
            for where, said in self.everywhere().items()
            for word in self.planted
            for form in (word.encode(), base64.b64encode(word.encode())[:-4])
            if form in said
        }
        identities = {word for word in self.planted if any(part in word for part in SECRET)}
        for account, path, body in self.answers:
            reads = path.startswith("GET") and account in READERS
            shown = path.startswith("GET") and "/reveals/" in path and account in READERS
            allowed = self.planted if shown else self.planted - identities if reads else set()
            found |= {
                (f"{account} {path}", word) for word in self.planted - allowed if word in body
            }
        return found


READERS = {"intake", "handler1", "mediator", "unit_head", "head"}
"""Who works on the items of the story (the head decides on the objection), and may read what is no
identity.
"""
OUTSIDERS = {"branch1_head", "branch1_handler", "auditor", "law_hub", "discipline", "admin"}


@pytest.fixture
def sky(
    home: Path,
    database_url: str,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Sky]:
    """Everything, running."""
    postmaster = Postmaster()
    with serving(postmaster) as place:
        told = {
            "BANJIE_DATABASE_URL": database_url,
            "BANJIE_REDIS_URL": redis_url,
            "BANJIE_SMTP_URL": f"smtp://{place}",
            "BANJIE_SAMPLE": "1",
        }
        settings = Settings(
            home=home,
            database_url=SecretStr(database_url),
            redis_url=SecretStr(redis_url),
            smtp_url=SecretStr(f"smtp://{place}"),
            sample=True,
            pool_size=4,
        )
        app = create_app(settings)
        counter = app.state.counter
        sample.load(counter.database, counter.casework)
        yard = Yard(home, told)
        caplog.set_level("DEBUG")
        monkeypatch.setattr(logging.getLogger("httpx"), "disabled", True)  # the client's own log
        with TestClient(app, raise_server_exceptions=False) as client:
            desk = Desk(client, app, database_url)
            yield Sky(desk, home, yard, postmaster, redis_url, logs=lambda: caplog.text)
        for program in yard.running:
            program.kill()


def grievance(sky: Sky) -> dict[str, str]:
    """A grievance through every act that takes something personal, up to an objection."""
    names: Mapping[str, None] = dict.fromkeys(("narrative", "contact", "place", "evidence_offered"))
    data = {"respondent": "第一分局", "categories": ["M03"]}
    receipt: dict[str, str] = sky.public(
        "/submissions", {"workflow": "grievance", "data": data | sky.put("grievance", **names)}
    )
    number = receipt["number"]
    moment = datetime.now(SHANGHAI).isoformat()
    sky.move("intake", number, "register", **sky.put("grievance", **names))
    sky.move(
        "intake", number, "ask_supplement", missing_items=["照片"], supplement_delivered_at=moment
    )
    materials = sky.put("grievance", materials=None)
    sky.public("/submissions/act", {**receipt, "transition": "supplement", "data": materials})
    sky.move("unit_head", number, "accept", **ACCEPTANCE)
    handlers = {"handlers": ["handler1", "handler2"], "declarations_signed": True}
    sky.move("unit_head", number, "assign", **handlers)
    note = canary("grievance", "note")
    sky.planted.add(note)
    assert sky.post("handler1", number, "/notes", {"text": note}).status_code == 201
    told = {"to": "holder", "text": "urge", "note": note}
    assert sky.post("handler1", number, "/messages", told).status_code == 201
    sky.move("handler1", number, "split_consumer_part", **sky.put("grievance", extract=None))
    sky.move(
        "handler1",
        number,
        "conclude",
        findings="当事人甲所述属实",
        evidence_list=["收据"],
        disposition="substantiated",
        proposal="责令改正",
    )
    sky.move("law_reviewer", number, "pass", opinion="可")
    sky.move("deputy", number, "decide", decision="责令改正")
    sky.move("handler1", number, "reply", reply_document="许市监复1号", delivered_at=moment)
    grounds = sky.put("grievance", grounds=None)
    sky.public("/submissions/act", {**receipt, "transition": "object", "data": grounds})
    return receipt


def withdrawn(sky: Sky) -> None:
    """A grievance taken back."""
    data = {"respondent": "第一分局", **sky.put("grievance", narrative=None)}
    receipt = sky.public("/submissions", {"workflow": "grievance", "data": data})
    statement = sky.put("grievance", voluntary_statement=None)
    sky.public("/submissions/act", {**receipt, "transition": "withdraw", "data": statement})


def mediation(sky: Sky) -> dict[str, str]:
    """A mediation up to an agreement."""
    names: Mapping[str, None] = dict.fromkeys((*CONTACTS, "claim", "facts"))
    data = {"respondent": "某商店", **sky.put("mediation", **names)}
    receipt: dict[str, str] = sky.public("/submissions", {"workflow": "mediation", "data": data})
    number = receipt["number"]
    moment = datetime.now(SHANGHAI).isoformat()
    sky.move("intake", number, "register", **sky.put("mediation", applicant_identity=None))
    sky.move(
        "intake", number, "ask_supplement", missing_items=["发票"], supplement_delivered_at=moment
    )
    materials = sky.put("mediation", materials=None)
    sky.public("/submissions/act", {**receipt, "transition": "supplement", "data": materials})
    sky.move("unit_head", number, "accept", basis="属于本局职责")
    sky.move("mediator", number, "ask_consent", applicant_consents=True, respondent_consents=True)
    later = (datetime.now(SHANGHAI) + timedelta(days=3)).isoformat()
    sky.move(
        "mediator",
        number,
        "schedule",
        time=later,
        place_or_channel="二楼调解室",
        mediators=["mediator"],
        declarations_signed=True,
    )
    sky.move("mediator", number, "begin", delivered_at=moment)
    sky.move("mediator", number, "agree", **sky.put("mediation", terms=None))
    return receipt


def rating(sky: Sky) -> dict[str, str]:
    """A bad rating, verified and answered."""
    names: Mapping[str, None] = dict.fromkeys(("comment", "contact", "transaction_ref"))
    data = {"level": "dissatisfied", "item_code": "GTDJ-01", **sky.put("review", **names)}
    form = {"workflow": "review", "channel": "hall", "data": data}
    receipt: dict[str, str] = sky.public("/submissions", form)
    number = receipt["number"]
    sky.move("branch1_head", number, "verify_with_rater", contact_log="已联系", facts="材料不全")
    sky.move("branch1_head", number, "explain", explanation_no_legal_basis="法律未规定")
    return receipt


def revealed(sky: Sky, number: str) -> None:
    """The contact of a grievance asked for, granted and seen."""
    ask = {"reason": "须当面核实收款收据"}
    asked = sky.post("handler1", number, "/reveals", ask)
    assert asked.status_code in {201, 403}
    account = "handler1" if asked.status_code == 201 else "intake"
    path = f"/items/{number}/reveals/{asked.json()['id']}"
    granted = sky.post("liaison", number, f"/reveals/{asked.json()['id']}/grant", ask)
    assert granted.status_code == 200, granted.text
    seen = sky.heard(account, f"GET {path}", sky.desk.look(account, path))
    assert seen.json()["data"] == {"contact": contact("grievance")}


def looked_at(sky: Sky, numbers: list[str]) -> None:
    """Everybody opens everything there is about these items."""
    for account in sorted(READERS | OUTSIDERS):
        for path in ("/items", "/messages", "/inbox", "/stalls"):
            sky.heard(account, f"GET {path}", sky.desk.look(account, path))
        for number in numbers:
            for rest in ("", "/events", "/documents", "/reveals", "/duplicates", "/erasures"):
                path = f"/items/{number}{rest}"
                sky.heard(account, f"GET {path}", sky.desk.look(account, path))


def refused(sky: Sky) -> None:
    """Words in every place where they do not belong: the answers repeat nothing."""
    word = canary("grievance", "narrative")
    for body in (
        {"workflow": word, "data": {}},
        {"workflow": "grievance", "data": {"narrative": [word], "respondent": word}},
        {"workflow": "grievance", "data": {"contact": {word: word}}, "channel": word},
        {"workflow": "grievance", "data": {"narrative": word}, "more": word},
    ):
        answer = sky.desk.client.post("/api/v1/submissions", json=body)
        assert answer.status_code >= 400
        sky.heard("public", "POST /submissions", answer)
    sky.heard("public", "GET", sky.desk.client.get(f"/api/v1/items/{word}"))


def posted(sky: Sky) -> None:
    """The worker sends what was told."""
    waiting = "SELECT count(*) FROM message WHERE status IN ('ready', 'leased')"
    sky.yard.beat()
    sky.yard.worker()
    until(lambda: sky.desk.one(waiting) == 0, 60)
    assert sky.postmaster.received


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_nothing_personal_is_found_where_it_does_not_belong(sky: Sky) -> None:
    """Every personal field of every workflow the public may begin was given, and none leaked."""
    told = grievance(sky)
    withdrawn(sky)
    settled = mediation(sky)
    rated = rating(sky)
    catalog = sky.desk.app.state.counter.casework.catalog
    for name in BEGUN_BY_THE_PUBLIC:
        fields = catalog.named(name).workflow.fields.items()
        personal = {field for field, spec in fields if spec.personal}
        assert personal == {field for workflow, field in sky.given if workflow == name}
    begun = {
        name
        for name, bound in catalog.current.items()
        if "public" in bound.workflow.transitions["submit"][0].by
    }
    assert begun == {*BEGUN_BY_THE_PUBLIC}
    revealed(sky, told["number"])
    refused(sky)
    for receipt in (told, settled, rated):
        sky.public("/submissions/track", receipt)
    posted(sky)
    looked_at(sky, [told["number"], settled["number"], rated["number"]])
    assert sky.leaks() == set()
    keys = [path.read_bytes() for path in (sky.home / "keys").iterdir()]
    assert len(keys) > 1, "a month's and that of the duplicates at least"
    said = sky.everywhere()
    for key in keys:
        for form in (key, key.hex().encode(), base64.b64encode(key)):
            assert not any(form in each for each in said.values())
    with sky.desk.app.state.counter.database.transaction() as session:
        assert journal.verify(session)[1] == []


@pytest.mark.slow
def test_the_scanner_sees_what_is_planted(sky: Sky, caplog: pytest.LogCaptureFixture) -> None:
    """A word let out on purpose, in each place in turn, is found there: the scanner can go red."""
    withdrawn(sky)
    word = canary("grievance", "narrative")
    assert sky.leaks() == set()
    with psycopg.connect(sky.desk.url, autocommit=True) as connection:
        connection.execute(
            "UPDATE item_data SET data = data || jsonb_build_object('x', %s::text)", [word]
        )
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE item SET channel = %s", [word])
    with redis.Redis.from_url(sky.redis_url) as valkey:
        valkey.set("hint", word)
    sky.postmaster.received.append(f"Subject: x\r\n\r\n{word}".encode())
    sky.yard.log.write_text(word)
    caplog.clear()
    logging.getLogger("banjie").warning("%s", word)
    sky.answers.append(("auditor", "GET /items", word))
    found = {where for where, each in sky.leaks() if each == word}
    assert found == {
        *("dump", "backup", "export", "mails", "valkey", "logs", "worker log"),
        "auditor GET /items",
    }
