"""What a PDF could do to whoever opens it, found by its names. It is not rendered and not repaired."""

from __future__ import annotations

import re
import zlib
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SUSPICIOUS = {
    b"Encrypt": "encrypted",
    b"JavaScript": "script",
    b"JS": "script",
    b"XFA": "script",
    b"Launch": "launch",
    b"SubmitForm": "launch",
    b"ImportData": "launch",
    b"EmbeddedFile": "embedded_file",
    b"EmbeddedFiles": "embedded_file",
    b"RichMedia": "embedded_file",
}
_REGULAR = rb"[^\s\0/<>()\[\]{}%]"
_NAME = re.compile(
    rb"/(?:(" + b"|".join(SUSPICIOUS) + rb")(?!" + _REGULAR + rb")"
    rb"|(" + _REGULAR + rb"{0,60}?#[0-9A-Fa-f]{2}" + _REGULAR + rb"{0,60}))"
)
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb"\bstream\r?\n")
BEFORE_A_STREAM = 1024
TAIL = 66_000
MOST_STREAMS = 20_000
MOST_NAMES = 50_000
MOST_UNPACKED = 32 << 20
"""Bytes that are unpacked of one file in all; what is more is not looked at, and said so."""


def judge_pdf(file: IO[bytes]) -> list[str]:
    """The codes of what is suspicious in a PDF: what its names say, in the open and in packed
    objects. `hidden`: something could not be looked into.
    """
    file.seek(0)
    whole = file.read()
    tail = whole[-TAIL:]
    found = _told(whole)
    if b"%%EOF" not in tail[-2048:]:
        found.add("hidden")
    if b"PK\5\6" in tail:
        found.add("embedded_file")  # an archive ends where the PDF does
    for packed in _objects(whole):
        if packed is None:
            return sorted(found | {"hidden"})
        found |= _told(packed)
    return sorted(found)


def _objects(whole: bytes) -> Iterator[bytes | None]:
    """The packed objects, unpacked; None for those that cannot be, and then nothing more."""
    room = MOST_UNPACKED
    for count, stream in enumerate(_STREAM.finditer(whole)):
        if count == MOST_STREAMS:
            yield None
            return
        about = whole[max(0, stream.start() - BEFORE_A_STREAM) : stream.start()]
        about = _unescaped(about[about.rfind(b" obj") + 1 :])
        if b"/ObjStm" not in about:
            continue  # the points of a picture, a font, a page: no object lies in there
        end = whole.find(b"endstream", stream.end())
        unpacked = None
        if b"/FlateDecode" in about and b"/ASCII" not in about and b"/LZW" not in about:
            unpacked = _unpacked(whole[stream.end() : end], room)
        yield unpacked
        if unpacked is None:
            return
        room -= len(unpacked)


def _unpacked(packed: bytes, room: int) -> bytes | None:
    """What a packed stream holds, None where that is more than there is room for or not whole."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, max(room, 1))
    except zlib.error:
        return None
    return text if unpacker.eof else None


def _unescaped(text: bytes) -> bytes:
    """Names without their escapes: `/J#61vaScript` is `/JavaScript`."""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text) if b"#" in text else text


def _told(text: bytes) -> set[str]:
    """The codes of the suspicious names in a text; nobody who means well escapes names by thousands."""
    found: set[str] = set()
    for count, name in enumerate(_NAME.finditer(text)):
        if count == MOST_NAMES:
            return found | {"hidden"}
        if code := SUSPICIOUS.get(name[1] or _unescaped(name[2])):
            found.add(code)
    return found
