"""The keys of the vault (密钥): files beside the database, never in it, one for each month.

A key of a month wraps the data keys of the items that were first given something personal in that
month. Whoever copies the database has none of these files; whoever copies the files has no data.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.errors import KeyFault

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32
ENDING = ".key"
DUPLICATES = "duplicates"
"""The key of the hints at possible duplicates; it wraps nothing."""


class Keyring:
    """The key files of one folder, read once each and kept in memory alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, bytes] = {}

    def check(self) -> None:
        """Refuse to start where others may read or change the keys. Raises KeyFault."""
        if not self.folder.exists():
            return
        loose = [self.folder] if _mode(self.folder) & 0o077 else []
        if loose:
            raise KeyFault(
                f"密钥文件夹 {self.folder} 对他人开放,请执行 chmod 700 {self.folder}。"
                f"The folder of the keys is open to others; run: chmod 700 {self.folder}"
            )
        for path in sorted(self.folder.glob(f"*{ENDING}")):
            if _mode(path) & 0o377:
                raise KeyFault(
                    f"密钥文件 {path} 的权限过宽,请执行 chmod 400 {path}。"
                    f"The key file may be read or changed by too many; run: chmod 400 {path}"
                )
            if path.stat().st_size != KEY_BYTES:
                raise _broken(path)

    def epoch(self) -> str:
        """The month whose key wraps new data keys: `2026-11`. A name only; no law counts from it."""
        return f"{datetime.now(UTC):%Y-%m}"

    def key(self, name: str, *, make: bool = False) -> bytes:
        """The 32 bytes of a key; with `make`, made where it is not there yet. Raises KeyFault."""
        found = self._read.get(name)
        if found is None:
            path = self.folder / f"{name}{ENDING}"
            if make and not path.exists():
                _make(path)
            found = self._read[name] = _bytes_of(path)
        return found

    def forget_before(self, epoch: str) -> list[str]:
        """Remove the key files of the months before one; their names."""
        gone = []
        for path in sorted(self.folder.glob(f"[0-9]*{ENDING}")):
            if path.stem < epoch:
                path.unlink()
                self._read.pop(path.stem, None)
                gone.append(path.stem)
        return gone

    def mark(self, purpose: str, text: str) -> bytes:
        """HMAC-SHA256 of a text under a key of its purpose: equal for equal texts, and of no use to
        whoever lacks the key, however few the possible texts are.
        """
        own = hmac.digest(self.key(DUPLICATES, make=True), purpose.encode(), hashlib.sha256)
        return hmac.digest(own, text.encode(), hashlib.sha256)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _bytes_of(path: Path) -> bytes:
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        raise KeyFault(
            f"密钥 {path.name} 不在 {path.parent},请从备份恢复。"
            f"The key {path.name} is not in {path.parent}; restore it from its copy."
        ) from None
    except OSError as error:
        raise KeyFault(
            f"密钥 {path.name} 读不出({error.strerror})。The key cannot be read; check its owner."
        ) from None
    if len(found) != KEY_BYTES:
        raise _broken(path)
    return found


def _broken(path: Path) -> KeyFault:
    return KeyFault(
        f"{path.name} 不是32字节的密钥,请从备份恢复。"
        f"{path.name} is no key of 32 bytes; restore it from its copy."
    )


def _make(path: Path) -> None:
    """Whoever links the file first wins, so that several processes may need it at once."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
