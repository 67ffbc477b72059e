"""What a file is: by its bytes, by its extension and by what was declared, and all three must agree.

The list is short, and nothing on it runs. Whatever could open something else when it is read (a PDF
with a script, a table with macros) is kept, because it may be evidence, and flagged.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import puremagic

from engine.errors import Refused
from engine.offices import judge_office_file
from engine.pdfs import judge_pdf

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = 4096
MOST_NAME = 120


class Unacceptable(Refused):
    """A file is not one of the kinds that are accepted."""

    code = "unacceptable-file"


@dataclass(frozen=True)
class Kind:
    """A kind of file: its extensions (the first is its name), the types it may be declared as (the
    first is what it is served as), and the extensions puremagic knows it by.
    """

    extensions: tuple[str, ...]
    declared: tuple[str, ...]
    known_as: tuple[str, ...]
    begins: Callable[[bytes], bool]

    @property
    def name(self) -> str:
        """What the database calls it."""
        return self.extensions[0]

    @property
    def served_as(self) -> str:
        """The media type it is answered with, whatever was declared."""
        return self.declared[0]

    @property
    def is_picture(self) -> bool:
        """Whether staff are shown a copy drawn anew."""
        return self.name in {"jpg", "png", "webp"}


def _boxed(*brands: bytes) -> Callable[[bytes], bool]:
    """Files of boxes (ISO 14496-12): `ftyp` first, with one of these brands."""
    return lambda head: head[4:8] == b"ftyp" and head[8:12].strip() in brands


def _mpeg_audio(head: bytes) -> bool:
    """An ID3 tag, or a frame of MPEG audio layer III."""
    if head[:3] == b"ID3":
        return len(head) > 10 and head[3] < 5 and all(byte < 128 for byte in head[6:10])  # noqa: PLR2004 - ID3v2 §3.1
    sync = int.from_bytes(head[:4])
    layer, rate, frequency = sync >> 17 & 3, sync >> 12 & 15, sync >> 10 & 3
    return sync >> 21 == 0x7FF and layer == 1 and rate not in {0, 15} and frequency != 3  # noqa: PLR2004 - ISO 11172-3 2.4.1.3


def _plain(head: bytes) -> bool:
    """Text that is no page and no program, in UTF-8 or GB 18030."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"\0" in head or start.startswith((b"<", b"%pdf", b"#!", b"{\\rtf")):
        return False
    return not any(byte < 32 and byte not in b"\t\n\f\r" for byte in head)  # noqa: PLR2004 - control characters


def _of(head: bytes, *starts: bytes) -> bool:
    return head.startswith(starts)


OOXML = "application/vnd.openxmlformats-officedocument."
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            ("jpg", "jpeg"),
            ("image/jpeg", "image/jpg", "image/pjpeg"),
            ("jpg", "jpeg", "jfif"),
            lambda head: _of(head, b"\xff\xd8\xff"),
        ),
        Kind(
            ("png",),
            ("image/png",),
            ("png",),
            lambda head: _of(head, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ),
        Kind(
            ("webp",),
            ("image/webp",),
            ("webp",),
            lambda head: _of(head, b"RIFF") and head[8:12] == b"WEBP",
        ),
        Kind(("pdf",), ("application/pdf",), ("pdf",), lambda head: _of(head, b"%PDF-")),
        Kind(("mp3",), ("audio/mpeg", "audio/mp3"), ("mp3", "mpga"), _mpeg_audio),
        Kind(
            ("m4a",),
            ("audio/mp4", "audio/x-m4a", "audio/m4a", "audio/aac"),
            ("m4a",),
            _boxed(b"M4A"),
        ),
        Kind(
            ("amr",),
            ("audio/amr", "audio/amr-wb", "audio/3gpp"),
            ("amr",),
            lambda head: _of(head, b"#!AMR\n", b"#!AMR-WB\n"),
        ),
        Kind(
            ("mp4",),
            ("video/mp4",),
            ("mp4", "m4v", "3gp", "f4v"),
            _boxed(
                b"isom",
                b"iso2",
                b"iso4",
                b"iso5",
                b"iso6",
                b"mp41",
                b"mp42",
                b"avc1",
                b"M4V",
                b"3gp4",
                b"3gp5",
            ),
        ),
        Kind(("txt",), ("text/plain",), (), _plain),
        Kind(
            ("docx",),
            (OOXML + "wordprocessingml.document",),
            ("docx",),
            lambda head: _of(head, b"PK\3\4"),
        ),
        Kind(
            ("xlsx",),
            (OOXML + "spreadsheetml.sheet",),
            ("xlsx",),
            lambda head: _of(head, b"PK\3\4"),
        ),
    )
}
ACCEPTED = "jpg、png、webp、pdf、mp3、m4a、amr、mp4、txt、docx、xlsx"
UNSAID = {"", "application/octet-stream"}
"""What a browser declares that does not know the kind; bytes and extension must agree then."""

REFUSED = (
    f"文件内容、扩展名与所报类型须一致,且为下列之一:{ACCEPTED}。"
    "Content, extension and declared type must agree and be one of: "
    f"{ACCEPTED.replace('、', ', ')}."
)
HEIC = (
    "暂不接收 HEIC 照片,请导出为 JPEG(手机设置:相机-格式-兼容性最佳)再传。"
    "HEIC pictures are not taken yet; export them as JPEG (camera settings: Most Compatible)."
)


def inspect(file: IO[bytes], name: str, declared: str) -> tuple[Kind, list[str]]:
    """The kind of a file, and what is suspicious about it. Raises Unacceptable."""
    extension = name.rpartition(".")[2].lower()
    said = declared.partition(";")[0].strip().lower()
    file.seek(0)
    head = file.read(HEAD)
    if extension in {"heic", "heif"} or head[4:12] in {b"ftypheic", b"ftypheix", b"ftypmif1"}:
        raise Unacceptable(HEIC)
    kind = next((k for k in KINDS.values() if extension in k.extensions), None)
    if kind is None or (said not in UNSAID and said not in kind.declared) or not kind.begins(head):
        raise Unacceptable(REFUSED)
    _ask_another(kind, head)
    if kind.name == "txt":
        _read_through(file)
    if kind.name == "pdf":
        return kind, judge_pdf(file)
    if kind.name in {"docx", "xlsx"}:
        return kind, _of_office(file, kind)
    return kind, []


def _ask_another(kind: Kind, head: bytes) -> None:
    """A second opinion on the bytes: puremagic must know them as this kind, or as no kind at all
    where they are text.
    """
    try:
        found = {each.extension.lstrip(".") for each in puremagic.magic_string(head)}
    except (puremagic.PureError, ValueError):
        found = set()
    if kind.name == "txt":
        return  # puremagic guesses at words: "BM", "MZ" and "P1" may begin a letter
    if not found & set(kind.known_as):
        raise Unacceptable(REFUSED)


def _read_through(file: IO[bytes]) -> None:
    """Text to its end: none of it is binary. Raises Unacceptable."""
    file.seek(0)
    while block := file.read(1 << 20):
        if any(byte in block for byte in (b"\0", b"\x1b", b"\x7f")):
            raise Unacceptable(REFUSED)


def _of_office(file: IO[bytes], kind: Kind) -> list[str]:
    flags = judge_office_file(file, "word/" if kind.name == "docx" else "xl/")
    if flags is None:
        raise Unacceptable(
            "办公文档残缺、过大或者不是该类型,请重新保存后再传。"
            "The document is cut off, unpacks to too much, or is of another kind; save it again."
        )
    return flags


def clean_name(given: str) -> str:
    """A file's name as it may be kept and shown: NFC, one line, no path, no characters that turn the
    reading direction or cannot be seen. Never used on a disk.
    """
    last = given.replace("\\", "/").rpartition("/")[2]
    kept = "".join(
        char
        for char in unicodedata.normalize("NFC", last)
        if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    ).strip(" .")
    stem, dot, extension = kept.rpartition(".")
    short = stem[: MOST_NAME - 10] + dot + extension if dot and len(extension) < 10 else kept  # noqa: PLR2004 - an extension
    return short[:MOST_NAME] or "附件"
