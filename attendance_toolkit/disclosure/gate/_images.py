"""What is written in PNG and JPEG files besides the picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
#: Chunks that say how to draw the picture and nothing else.
_DRAWING = frozenset(
    (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"bKGD", b"sBIT", b"cICP")
)
_MOST = 1_000_000


@dataclass
class Image:
    """The texts an image holds, and what is wrong with it (a sentence, or empty)."""

    kind: str
    texts: list[str] = field(default_factory=list)
    problem: str = ""

    def refuse(self, problem: str) -> None:
        """Note a problem, unless there is one."""
        self.problem = self.problem or problem


def image_kind(data: bytes) -> str:
    """Return "PNG", "JPEG" or an empty string."""
    return "PNG" if data.startswith(_PNG) else "JPEG" if data.startswith(_JPEG) else ""


def read_image(data: bytes) -> Image:
    """Return what an image holds besides its picture; pixels cannot be read."""
    image = Image(image_kind(data))
    try:
        if image.kind == "PNG":
            _read_png(data, image)
        else:
            _read_jpeg(data, image)
    except (struct.error, IndexError, ValueError, zlib.error):
        image.refuse("It holds an image that is damaged, so that it is not known what is in it.")
    return image


def _read_png(data: bytes, image: Image) -> None:
    at, kind = len(_PNG), b""
    while at < len(data) and kind != b"IEND":
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        (check,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        if zlib.crc32(kind + body) != check:
            raise ValueError
        at += 12 + length
        if kind in _DRAWING:
            continue
        image.texts += [part.decode("utf-8", errors="replace") for part in _png_texts(kind, body)]
        if kind != b"tEXt" or not body.startswith(b"Software\0Matplotlib"):
            image.refuse("It holds an image with a text, a date or other notes in it.")
    if kind != b"IEND":
        raise ValueError
    if data[at:]:
        image.texts.append(data[at:].decode("latin-1"))
        image.refuse("It holds an image with something after its end.")


def _png_texts(kind: bytes, body: bytes) -> Iterator[bytes]:
    keyword, _, rest = body.partition(b"\0")
    if kind in (b"zTXt", b"iCCP"):
        yield keyword
        yield zlib.decompressobj().decompress(rest[1:], _MOST)
    elif kind == b"iTXt":
        is_packed, rest = rest[:1] == b"\1", rest[2:]
        language, _, rest = rest.partition(b"\0")
        translated, _, text = rest.partition(b"\0")
        yield from (keyword, language, translated)
        yield zlib.decompressobj().decompress(text, _MOST) if is_packed else text
    else:
        yield from (keyword, rest or body)


def _read_jpeg(data: bytes, image: Image) -> None:
    at = 2
    while data[at : at + 1] == b"\xff":
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            break
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        body = data[at + 4 : at + 2 + length]
        if marker == 0xFE or (0xE1 <= marker <= 0xEF and marker not in (0xE2, 0xEE)):
            image.texts.append(body.decode("latin-1"))
            image.texts.append(body.replace(b"\0", b"").decode("latin-1"))
            image.refuse("It holds an image with a text, a date or other notes in it.")
        at += 2 + length
        if marker == 0xDA:
            end = data.find(b"\xff\xd9", at)
            if end < 0:
                raise ValueError
            if data[end + 2 :]:
                image.texts.append(data[end + 2 :].decode("latin-1"))
                image.refuse("It holds an image with something after its end.")
            return
    raise ValueError
