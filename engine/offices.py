"""What an office file (docx, xlsx) unpacks to, read from its table of contents; nothing is unpacked."""

from __future__ import annotations

import stat
import struct
import zipfile
from typing import IO

MOST_ENTRIES = 1000
MOST_UNPACKED = 200 << 20
MOST_RATIO = 100
MOST_TABLE = 512 * 1024  # a thousand entries with long names
END = struct.Struct("<4s4H2LH")
END_MARK = b"PK\5\6"
ARCHIVES = (".zip", ".rar", ".7z", ".gz", ".bz2", ".xz", ".tar", ".jar", ".docm", ".xlsm")
FREE = 64 * 1024
"""Bytes an entry may unpack to whatever its ratio: a table of blanks is no bomb."""


def judge_office_file(file: IO[bytes], folder: str) -> list[str] | None:
    """The codes of what is suspicious, None where the file is no office file with this folder."""
    if not _table_is_small(file):
        return None
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error):
        return None
    names = [entry.filename for entry in entries]
    if "[Content_Types].xml" not in names or not any(name.startswith(folder) for name in names):
        return None
    if len(set(names)) != len(names) or sum(e.file_size for e in entries) > MOST_UNPACKED:
        return None
    if any(_unfit(entry) for entry in entries):
        return None
    flags = set()
    for name in (each.lower() for each in names):
        if name.endswith(("vbaproject.bin", "vbadata.xml")) or "/macrosheets/" in name:
            flags.add("macros")
        if "/embeddings/" in name or "/activex/" in name:
            flags.add("embedded_file")
        if "/externallinks/" in name:
            flags.add("external_link")
    return sorted(flags)


def _table_is_small(file: IO[bytes]) -> bool:
    """Whether the file ends with a table of contents of a size that may be read: `zipfile` would
    take whatever it says.
    """
    size = file.seek(0, 2)
    if size < END.size:
        return False
    file.seek(-END.size, 2)
    mark, disk, first, here, entries, table, start, remark = END.unpack(file.read(END.size))
    whole = start + table + END.size == size  # nothing before it, nothing behind it
    one = disk == first == 0 and here == entries and remark == 0
    few = entries <= MOST_ENTRIES and table <= MOST_TABLE
    return bool(mark == END_MARK and one and whole and few)


def _unfit(entry: zipfile.ZipInfo) -> bool:
    name = entry.filename
    parts = name.replace("\\", "/").split("/")
    linked = stat.S_ISLNK(entry.external_attr >> 16)
    swollen = entry.file_size > max(FREE, entry.compress_size * MOST_RATIO)
    packed = entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
    return (
        name.startswith(("/", "\\"))
        or ".." in parts
        or ":" in name
        or linked
        or swollen
        or packed
        or bool(entry.flag_bits & 1)  # encrypted
        or name.lower().endswith(ARCHIVES)
    )
