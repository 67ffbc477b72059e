"""Files that mean harm, and those that only look like it: made here, so that none lies in the tree."""

from __future__ import annotations

import base64
import gzip
import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = b"GPS-CANARY-34.0357N"
SCRIPT = b"<script>alert(document.domain)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + SCRIPT + b"</svg>"
EICAR = base64.b64decode(
    "WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JEVJQ0FSLVNUQU5EQVJELUFOVElWSVJVUy1URVNULUZJTEUhJEgrSCo="
)
OOXML = "application/vnd.openxmlformats-officedocument."
TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "pdf": "application/pdf",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "amr": "audio/amr",
    "mp4": "video/mp4",
    "txt": "text/plain",
    "docx": OOXML + "wordprocessingml.document",
    "xlsx": OOXML + "spreadsheetml.sheet",
}


class Sample(NamedTuple):
    """A file of the corpus, and whether it is to be taken."""

    name: str
    content: bytes
    declared: str
    taken: bool
    flags: tuple[str, ...] = ()


def picture(kind: str, size: tuple[int, int] = (24, 16), mode: str = "RGB") -> bytes:
    """A picture with words in its metadata."""
    exif = Image.Exif()
    exif[0x010E] = CANARY.decode()
    exif.get_ifd(0x8825)[29] = CANARY.decode()
    file = io.BytesIO()
    drawn = Image.effect_noise(size, 60).convert(mode)
    drawn.save(file, {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[kind], exif=exif)
    return file.getvalue()


def pdf(inside: bytes = b"") -> bytes:
    """A PDF with something in it."""
    return b"%PDF-1.5\n1 0 obj<</Type/Catalog>>endobj\n" + inside + b"\ntrailer<<>>\n%%EOF\n"


def packed(content: bytes, names: bytes = b"/Type/ObjStm/N 1/First 4/Filter/FlateDecode") -> bytes:
    """A PDF whose objects are packed."""
    return pdf(b"3 0 obj<<" + names + b">>stream\n" + content + b"\nendstream endobj")


def office(
    kind: str, *more: tuple[str | zipfile.ZipInfo, bytes], way: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """A docx or xlsx with more entries."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", way) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml" if kind == "docx" else "xl/workbook.xml", "<a/>")
        for name, content in more:
            archive.writestr(name, content)
    return file.getvalue()


def boxes(brand: bytes) -> bytes:
    """The beginning of an mp4 or m4a."""
    return (
        struct.pack(">I4s4sI4s", 20, b"ftyp", brand, 512, brand)
        + struct.pack(">I4s", 16, b"free")
        + bytes(8)
    )


def whole(kind: str) -> bytes:
    """A good file of a kind."""
    if kind in {"jpg", "png", "webp"}:
        return picture(kind)
    if kind in {"docx", "xlsx"}:
        return office(kind)
    return {
        "pdf": pdf(),
        "mp3": b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + (b"\xff\xfb\x90\x44" + bytes(413)) * 3,
        "m4a": boxes(b"M4A "),
        "amr": b"#!AMR\n" + bytes(64),
        "mp4": boxes(b"isom"),
        "txt": "窗口收费不开票据。\r\n".encode(),
    }[kind]


NAMES = (
    "../../../etc/passwd.txt",
    "..\\..\\boot.txt",
    "/etc/shadow.txt",
    "C:\\windows\\win.txt",
    "a\0b.txt",
    "行\u2028分.txt",
    "照片\u202egpj.txt",
    "\u2067\u2066x\u2069.txt",
    "z\u200bw\u200dj.txt",
    ".txt",
    " . .txt",
    "CON.txt",
    "n" * 5000 + ".txt",
    "e\u0301" * 400 + ".txt",
    "'; DROP TABLE item; --.txt",
    "<img src=x onerror=alert(1)>.txt",
    "%00%2e%2e%2f.txt",
    "a;filename=b.txt",
    "=cmd|' /C calc'!A0.txt",
    "𠮷野家的照片.txt",
)


def _wrong() -> Iterator[Sample]:
    """Content of one kind under the name of another, or under names that no kind has."""
    kinds = list(TYPES)
    for at, kind in enumerate(kinds):
        other = kinds[(at + 3) % len(kinds)]
        if other != "txt":
            yield Sample(f"a.{other}", whole(kind), TYPES[other], taken=False)
        yield Sample(f"a.{kind}", whole(kind), TYPES[other], taken=False)
        yield Sample(f"a.{kind}", whole(kind)[:3], TYPES[kind], taken=kind == "txt")
    strange = {
        "svg": (SVG, "image/svg+xml"),
        "html": (SCRIPT, "text/html"),
        "htm": (SCRIPT, "text/plain"),
        "xml": (b"<?xml version='1.0'?><a/>", "text/xml"),
        "exe": (b"MZ" + bytes(100), "application/octet-stream"),
        "zip": (office("docx"), "application/zip"),
        "docm": (office("docx"), TYPES["docx"]),
        "gif": (b"GIF89a" + bytes(20), "image/gif"),
        "tif": (b"II*\0" + bytes(20), "image/tiff"),
        "heic": (boxes(b"heic"), "image/heic"),
        "js": (b"alert(1)", "text/javascript"),
        "php": (b"<?php system($_GET[0]);", "text/plain"),
        "sh": (b"#!/bin/sh\n", "text/plain"),
        "rtf": (b"{\\rtf1}", "application/rtf"),
        "gz": (gzip.compress(b"a"), "application/gzip"),
        "lnk": (b"L\0\0\0", ""),
        "": (b"nothing", "text/plain"),
    }
    for extension, (content, declared) in strange.items():
        yield Sample(f"a.{extension}", content, declared, taken=False)
    for content in (
        SVG,
        SCRIPT,
        b"<html>" + SCRIPT,
        b"\xef\xbb\xbf  \n<!DOCTYPE html>",
        b"<?xml version='1.0'?>",
        b"MZ\0\0",
        b"#!/bin/sh\nrm",
        b"%PDF-1.4",
        b"a\x1b]0;x\x07",
        b"a" * 5000 + b"\0",
    ):
        yield Sample("a.txt", content, "text/plain", taken=False)
    for kind in ("jpg", "png", "webp", "pdf", "docx"):
        yield Sample(f"a.{kind}", SVG, TYPES[kind], taken=False)
        yield Sample(f"a.{kind}", b"", TYPES[kind], taken=False)
    yield Sample("a.jpg", boxes(b"heic"), "image/jpeg", taken=False)
    yield Sample("a.jpg.exe", whole("jpg"), "image/jpeg", taken=False)
    yield Sample("a.exe.jpg", whole("jpg"), "image/jpeg", taken=True)
    yield Sample("eicar.txt", EICAR, "text/plain", taken=True)


def _pictures() -> Iterator[Sample]:
    """Broken, swollen and two-faced pictures."""
    for kind in ("jpg", "png", "webp"):
        good = picture(kind, (200, 150))
        for share in (3, 5, 9):
            yield Sample(f"cut.{kind}", good[: len(good) * share // 10], TYPES[kind], taken=False)
        yield Sample(f"tail.{kind}", good + office("docx"), TYPES[kind], taken=True)
        yield Sample(f"script.{kind}", good + SCRIPT, TYPES[kind], taken=True)
    yield Sample("flood.png", _flood(65_000, 65_000), "image/png", taken=False)
    yield Sample("flood2.png", _flood(2_000_000_000, 1), "image/png", taken=False)
    yield Sample("flood3.png", _flood(9000, 9000), "image/png", taken=False)
    yield Sample("empty.png", _flood(0, 0), "image/png", taken=False)
    yield Sample(
        "text.png",
        _with_chunk(picture("png"), b"zTXt", b"k\0\0" + zlib.compress(bytes(60 << 20))),
        "image/png",
        taken=False,
    )
    yield Sample(
        "icc.png",
        _with_chunk(picture("png"), b"iCCP", b"k\0\0" + zlib.compress(b"junk" * 99)),
        "image/png",
        taken=True,
    )
    yield Sample(
        "comment.jpg",
        whole("jpg")[:2] + b"\xff\xfe\x00\x0c<script/>\0" + whole("jpg")[2:],
        "image/jpeg",
        taken=True,
    )
    for mode, kind in (
        ("L", "jpg"),
        ("CMYK", "jpg"),
        ("1", "png"),
        ("P", "png"),
        ("RGBA", "png"),
        ("I;16", "png"),
        ("RGBA", "webp"),
    ):
        yield Sample(
            f"{mode.replace(';', '')}.{kind}", picture(kind, mode=mode), TYPES[kind], taken=True
        )


def _flood(width: int, height: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    points = zlib.compress(bytes(1 << 20), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", points) + chunk(b"IEND", b"")
    )


def _with_chunk(png: bytes, name: bytes, content: bytes) -> bytes:
    extra = (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )
    return png[:33] + extra + png[33:]


def _pdfs() -> Iterator[Sample]:
    """Papers that would do something when they are opened."""
    for inside, flag in (
        (b"/OpenAction<</S/JavaScript/JS(app.alert(1))>>", "script"),
        (b"/J#61vaScript 5 0 R", "script"),
        (b"/#4a#53(x)", "script"),
        (b"/AcroForm<</XFA 4 0 R>>", "script"),
        (b"/S/Launch/F(cmd.exe)", "launch"),
        (b"/S/SubmitForm/F(http://192.0.2.1)", "launch"),
        (b"/EmbeddedFiles 4 0 R", "embedded_file"),
        (b"/Type/EmbeddedFile", "embedded_file"),
        (b"/Subtype/RichMedia", "embedded_file"),
        (b"/Encrypt 9 0 R", "encrypted"),
    ):
        yield Sample("a.pdf", pdf(inside), "application/pdf", taken=True, flags=(flag,))
        yield Sample(
            "b.pdf", packed(zlib.compress(inside)), "application/pdf", taken=True, flags=(flag,)
        )
    bomb = zlib.compress(bytes(100 << 20), 9)
    hidden = ("hidden",)
    yield Sample("bomb.pdf", packed(bomb), "application/pdf", taken=True, flags=hidden)
    yield Sample("page.pdf", packed(bomb, b"/Filter/FlateDecode"), "application/pdf", taken=True)
    yield Sample(
        "lzw.pdf",
        packed(b"x", b"/Type/ObjStm/Filter/LZWDecode"),
        "application/pdf",
        taken=True,
        flags=hidden,
    )
    yield Sample("junk.pdf", packed(b"junk"), "application/pdf", taken=True, flags=hidden)
    yield Sample("cut.pdf", pdf()[:30], "application/pdf", taken=True, flags=hidden)
    yield Sample("names.pdf", pdf(b"/#41" * 200_000), "application/pdf", taken=True, flags=hidden)
    yield Sample(
        "streams.pdf", pdf(b"stream\n" * 100_000), "application/pdf", taken=True, flags=hidden
    )
    yield Sample(
        "zip.pdf", pdf() + office("docx"), "application/pdf", taken=True, flags=("embedded_file",)
    )
    yield Sample("late.pdf", b"GIF89a" + pdf(), "application/pdf", taken=False)
    yield Sample("words.pdf", pdf(b"/JSX /Launcher /Encryption"), "application/pdf", taken=True)


def _offices() -> Iterator[Sample]:
    """Archives that unpack to too much, or to elsewhere."""
    link = zipfile.ZipInfo("word/link")
    link.external_attr = 0o120777 << 16
    for kind in ("docx", "xlsx"):
        bad = {
            "bomb": office(kind, ("word/big.xml", bytes(40 << 20))),
            "up": office(kind, ("../../evil.xml", b"a")),
            "root": office(kind, ("/etc/passwd", b"a")),
            "drive": office(kind, ("C:/a", b"a")),
            "back": office(kind, ("word\\..\\..\\a", b"a")),
            "link": office(kind, (link, b"/etc/passwd")),
            "nested": office(kind, ("word/a.zip", office("docx"))),
            "entries": office(kind, *((f"word/{n}", b"") for n in range(1001))),
            "before": b"PK\3\4junk" + office(kind),
            "behind": office(kind) + b"junk",
            "cut": office(kind)[:-30],
            "bzip2": office(kind, way=zipfile.ZIP_BZIP2),
            "other": office("xlsx" if kind == "docx" else "docx"),
            "bare": office(kind).replace(b"[Content_Types].xml", b"[Content-Types].xml"),
            "lie": _lying(office(kind)),
        }
        for name, content in bad.items():
            yield Sample(f"{name}.{kind}", content, TYPES[kind], taken=False)
        flags = {
            "macros": ("word/vbaProject.bin", b"x"),
            "embedded_file": ("word/embeddings/ole.bin", b"x"),
            "external_link": ("xl/externalLinks/a.xml", b"x"),
        }
        for flag, entry in flags.items():
            yield Sample(f"a.{kind}", office(kind, entry), TYPES[kind], taken=True, flags=(flag,))


def _lying(archive: bytes) -> bytes:
    """An archive that says it has 60,000 entries in a table of four gigabytes."""
    end = archive.rindex(b"PK\5\6")
    told = struct.pack("<HHI", 60_000, 60_000, 0xFFFFFFF0)
    return archive[: end + 8] + told + archive[end + 16 :]


def corpus() -> list[Sample]:
    """All of it."""
    good = [Sample(f"好.{kind}", whole(kind), TYPES[kind], taken=True) for kind in TYPES]
    good += [
        Sample(f"好.{k.upper()}", whole(k), "application/octet-stream", taken=True) for k in TYPES
    ]
    # a head of more than 4 KiB is no head
    named = [Sample(n, whole("txt"), "text/plain", taken=len(n) < 4000) for n in NAMES]
    return [*good, *named, *_wrong(), *_pictures(), *_pdfs(), *_offices()]
