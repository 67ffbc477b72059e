"""The vault: ciphertext bound to its place, keys that are files, commitments that need no key."""

from __future__ import annotations

import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from engine import journal, vault
from engine.dossier import READ_ONE
from engine.errors import KeyFault
from engine.keys import Keyring
from engine.people import SYS
from tests.casebook import day

if TYPE_CHECKING:
    from pathlib import Path

    from tests.casebook import Casebook

WISH = "想在桥头卖红薯"
CONTACT = {"name": "柳如烟", "phone": "13900004242"}


def payloads(book: Casebook, number: str) -> list[dict[str, object]]:
    """An item's rows of the vault."""
    return book.rows(
        "SELECT p.* FROM vault.payload p JOIN item i ON i.id = p.item_id"
        " WHERE number = %s ORDER BY seq",
        number,
    )


def test_what_was_given_is_read_again_and_the_newest_counts(book: Casebook) -> None:
    """Several acts of one item use one data key; each item has its own."""
    number = book.submit(wish=WISH, contact=CONTACT).number
    other = book.submit(wish=WISH).number
    book.do(lambda s: book.casework.note(s, number, book.who("unit_head"), "第一", at=day(1)))
    book.do(lambda s: book.casework.note(s, number, book.who("unit_head"), "第二", at=day(1)))
    assert book.personal(number) == {"wish": WISH, "contact": CONTACT, "note": "第二"}
    assert book.personal(other) == {"wish": WISH}
    keys = book.rows("SELECT wrapped, commitment FROM vault.data_key")
    assert len(keys) == 2
    assert len({row["commitment"] for row in keys}) == 2
    assert book.do(journal.verify) == (4, [])


def test_an_act_without_anything_personal_leaves_the_vault_alone(book: Casebook) -> None:
    """No data key and no payload."""
    number = book.submit("inquiry", "liaison", data={"respondent": "BR1"}).number
    assert payloads(book, number) == []
    assert book.rows("SELECT FROM vault.data_key") == []


def test_a_payload_opens_in_its_own_place_only(book: Casebook) -> None:
    """A field moved to another name, event or item does not open, whoever moved it."""
    number = book.submit(wish=WISH, contact=CONTACT).number
    other = book.submit(wish="卖花").number
    book.run("SET session_replication_role = replica")  # the schema would refuse
    book.run(
        "UPDATE vault.payload SET sealed = jsonb_set(sealed, '{wish}', sealed -> 'contact')"
        " WHERE sealed ? 'contact'"
    )
    with pytest.raises(KeyFault):
        book.personal(number)
    book.run(
        "UPDATE vault.data_key SET (epoch, wrapped, commitment) = (SELECT epoch, wrapped, commitment"
        " FROM vault.data_key JOIN item ON id = item_id WHERE number = %s)",
        number,
    )
    with pytest.raises(KeyFault):
        book.personal(other)


def test_a_length_tells_little(book: Casebook) -> None:
    """A name of two characters and one of four are as long in the database."""
    lengths = set()
    for name in ("王", "欧阳不疑"):
        number = book.submit(contact={"name": name}).number
        (row,) = payloads(book, number)
        sealed = row["sealed"]
        assert isinstance(sealed, dict)
        lengths.add(len(sealed["contact"]))
    assert len(lengths) == 1


def test_the_journal_is_verified_without_any_key(book: Casebook) -> None:
    """Every commitment is checked by somebody who has only the database."""
    number = book.submit(wish=WISH, contact=CONTACT).number
    book.casework.keyring = None
    assert book.do(journal.verify) == (1, [])
    with pytest.raises(KeyFault, match="密钥"):
        book.personal(number)
    book.run("SET session_replication_role = replica")
    book.run("UPDATE vault.payload SET sealed = sealed - 'contact'")
    assert len(book.do(journal.verify)[1]) == 1


def test_another_key_does_not_pass_for_the_one_committed_to(book: Casebook) -> None:
    """GCM commits to no key: a data key that unwraps but is another one is refused."""
    number = book.submit(wish=WISH).number
    item = book.item(number)["id"]
    keyring = book.casework.keyring
    assert keyring is not None
    (row,) = book.rows("SELECT * FROM vault.data_key")
    forged = vault.wrap(keyring.key(row["epoch"]), bytes(32), item, row["epoch"])
    book.run("UPDATE vault.data_key SET wrapped = %s", forged)
    with pytest.raises(KeyFault):
        book.personal(number)


def test_a_lost_key_is_said_and_leaves_the_item_at_work(book: Casebook, home: Path) -> None:
    """The file is named, and acts that read nothing personal go on."""
    number = book.submit(wish=WISH, place="东大街").number
    book.casework.keyring = Keyring(home / "elsewhere")
    with pytest.raises(KeyFault, match="restore it"):
        book.personal(number)
    handlers = ["handler1", "handler2"]
    moved = book.go(number, "assign", "unit_head", handlers=handlers, declarations_signed=True)
    assert moved.state == "checking"


def test_an_unwrapped_key_lives_with_one_reading_only(book: Casebook) -> None:
    """Another reading of the item unwraps again: nothing of it stays in the process."""
    number = book.submit(wish=WISH).number

    def read_twice(session: object) -> None:
        first = book.casework.look(session, number, SYS)  # type: ignore[arg-type]
        assert first.personal == {"wish": WISH}
        again = book.casework.look(session, number, SYS)  # type: ignore[arg-type]
        assert again.vault._key is None

    book.do(read_twice)
    assert READ_ONE.count("vault") == 0


def test_keys_are_files_that_only_their_owner_reads(home: Path) -> None:
    """Made on first need, 32 bytes, 0400 in a folder of 0700, and the same for every process."""
    keyring = Keyring(home / "keys")
    keyring.check()
    made = keyring.key("2026-11", make=True)
    path = home / "keys" / "2026-11.key"
    assert len(made) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert Keyring(home / "keys").key("2026-11", make=True) == made
    assert [each.name for each in path.parent.iterdir()] == ["2026-11.key"]
    keyring.check()


@pytest.mark.parametrize(
    ("name", "mode"), [("2026-11.key", 0o440), ("2026-11.key", 0o600), ("", 0o750)]
)
def test_a_start_is_refused_where_others_may_touch_the_keys(
    home: Path, name: str, mode: int
) -> None:
    """The sentence names the command that puts it right, and that command does."""
    keyring = Keyring(home / "keys")
    keyring.key("2026-11", make=True)
    path = home / "keys" / name
    path.chmod(mode)
    with pytest.raises(KeyFault, match="chmod") as caught:
        keyring.check()
    command = caught.value.detail.rpartition("run: ")[2].split()
    subprocess.run(command, check=True)
    keyring.check()


def test_a_file_that_is_no_key_stops_the_start(home: Path) -> None:
    """Half a key opens nothing; better said at once."""
    folder = home / "keys"
    folder.mkdir(mode=0o700)
    (folder / "2026-11.key").write_bytes(b"short")
    (folder / "2026-11.key").chmod(0o400)
    with pytest.raises(KeyFault, match="32"):
        Keyring(folder).check()
    with pytest.raises(KeyFault, match="32"):
        Keyring(folder).key("2026-11")


def test_marks_are_equal_for_equal_texts_of_one_purpose_only(home: Path) -> None:
    """Without the key a mark can be neither made nor guessed; purposes do not mix."""
    one, two = Keyring(home / "one"), Keyring(home / "two")
    assert one.mark("phone", "1390") == Keyring(home / "one").mark("phone", "1390")
    assert one.mark("phone", "1390") != one.mark("name", "1390")
    assert one.mark("phone", "1390") != two.mark("phone", "1390")


def test_renewed_keys_open_everything_and_the_old_ones_nothing(book: Casebook, home: Path) -> None:
    """What an old dump holds needs the old key; what is there now needs the new one alone."""
    keyring = Keyring(home / "keys")
    book.casework.keyring = keyring
    keyring.epoch = lambda: "2026-01"  # type: ignore[method-assign]
    number = book.submit(wish=WISH, contact=CONTACT).number
    (old,) = book.rows("SELECT item_id, epoch, wrapped, commitment FROM vault.data_key")
    keyring.epoch = lambda: "2026-02"  # type: ignore[method-assign]
    later = book.submit(wish="卖花").number
    assert book.do(lambda s: vault.renew(s, keyring)) == 1
    assert book.do(lambda s: vault.renew(s, keyring)) == 0
    assert keyring.forget_before("2026-02") == ["2026-01"]
    book.casework.keyring = Keyring(home / "keys")
    assert book.personal(number) == {"wish": WISH, "contact": CONTACT}
    assert book.personal(later) == {"wish": "卖花"}
    assert book.do(journal.verify) == (2, [])
    with pytest.raises(KeyFault, match="2026-01"):
        vault.unwrap(book.casework.keyring, old["item_id"], old)
