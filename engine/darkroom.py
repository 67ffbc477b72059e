"""The darkroom (暗房): a picture is drawn anew from its points, and nothing else comes out with it.

A program of its own, started by `engine.pictures`: picture on stdin, the new one to stdout, its kind
as the argument. What a decoder can be made to do stays in here: the process may take 512 MiB and 20
seconds, and open no file and no connection once it has begun.
"""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MEMORY = 512 << 20
SECONDS = 20
MOST_POINTS = 40_000_000
MOST_OUT = 200 << 20
UNREADABLE, TOO_MANY_POINTS, TOO_MUCH_MEMORY = 3, 4, 5
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


def _limit(what: int, most: int) -> None:
    resource.setrlimit(what, (most, most))


def draw_anew(kind: str) -> int:
    """Draw the picture on stdin anew; the exit status says what came of it."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, MOST_OUT),
        (resource.RLIMIT_CORE, 0),
    ):
        _limit(what, most)
    import warnings

    # everything a decoder loads later is loaded now: the next line shuts the door
    from PIL import (  # noqa: F401
        Image,
        ImageCms,
        ImageOps,
        MpoImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    Image.preinit()
    _limit(resource.RLIMIT_NOFILE, 0)
    Image.MAX_IMAGE_PIXELS = MOST_POINTS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(sys.stdin.buffer, formats=[FORMATS[kind]]) as found:
            if found.width * found.height > MOST_POINTS:
                return TOO_MANY_POINTS
            found.load()
            picture = ImageOps.exif_transpose(found)
        if profile := picture.info.get("icc_profile"):
            picture = _in_plain_colours(picture, profile)
        wanted = ("L", "RGB") if kind == "jpg" else ("L", "LA", "RGB", "RGBA")
        if picture.mode not in wanted:
            clear = kind != "jpg" and picture.has_transparency_data
            picture = picture.convert("RGBA" if clear else "RGB")
        picture.info.clear()
        options = {"jpg": {"quality": 90}, "png": {"compress_level": 3}, "webp": {"method": 2}}
        picture.save(sys.stdout.buffer, FORMATS[kind], **options[kind])
        sys.stdout.buffer.flush()
    except MemoryError:
        return TOO_MUCH_MEMORY
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return TOO_MANY_POINTS
    except Exception:  # noqa: BLE001 - a decoder may fail in any way; its words may be the file's
        return UNREADABLE
    return 0


def _in_plain_colours(picture: Image, profile: bytes) -> Image:
    """The picture in sRGB: a profile may name a device, so it does not go along."""
    import io

    from PIL import ImageCms

    if picture.mode not in {"RGB", "L"}:
        picture = picture.convert("RGB")
    try:
        drawn = ImageCms.profileToProfile(
            picture,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture
    return drawn or picture


if __name__ == "__main__":
    sys.exit(draw_anew(sys.argv[1]))
