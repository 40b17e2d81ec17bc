"""Every reading of a text or a byte string: what a person or a program could make of it.

A layer is one such reading. Layers are made from layers until nothing new comes out; what would go on for too long,
too deep or too large is a problem that refuses the file, never an end that nobody hears of.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import time
import zipfile
import zlib
from dataclasses import dataclass, field

from attendance_toolkit.disclosure.gate._blobs import encoded_blobs, inflate_raw, text_of
from attendance_toolkit.disclosure.gate._images import image_kind, read_image
from attendance_toolkit.disclosure.gate._texts import (
    decoded_tokens,
    fold,
    is_markup,
    readable,
    run_together,
    spaced_runs,
    unescape_entities,
)


@dataclass(frozen=True)
class Limits:
    """Bounds of what is decoded. Beyond them a file is refused."""

    depth: int = 9
    """Layers inside layers."""
    characters: int = 160_000_000
    """Of all layers together."""
    expanded: int = 64_000_000
    """Bytes that compressed data may become."""
    seconds: float = 60.0
    layers: int = 20_000


#: How a layer is named that was decoded from words taken together.
SPACES_LEFT_OUT = "spaces left out"
#: And one of letters written with something between every two.
LETTERS_APART = "letters apart"


@dataclass(frozen=True)
class Layer:
    """One reading of a text.

    Attributes
    ----------
    text
        The reading, folded: no invisible characters, compatible letters as plain ones.
    trail
        How it was come by, outermost first: ("base64", "gzip").
    is_guess
        Whether nothing in the source says that it is meant so: text turned round or run together. Shapes abound in
        it by chance, so that only what is known is looked for.
    is_source
        Whether it is the source of a page, where slashes and coordinates are no paths and dates.
    """

    text: str
    trail: tuple[str, ...] = ()
    is_guess: bool = False
    is_source: bool = False

    def place(self, at: int) -> str:
        """Return in words where a character of the layer is."""
        line = f"line {self.text.count(chr(10), 0, at) + 1}"
        return f"{line} after decoding ({', '.join(self.trail)})" if self.trail else line


@dataclass
class Decoder:
    """Makes the layers of one file."""

    limits: Limits = field(default_factory=Limits)
    layers: list[Layer] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    """Rule -> sentence."""

    def __post_init__(self) -> None:
        self._seen: set[int] = set()
        self._tried: set[str] = set()
        self._characters = 0
        self._ends = time.monotonic() + self.limits.seconds

    def add_bytes(self, data: bytes, trail: tuple[str, ...] = (), depth: int = 0) -> None:
        """Read a byte string: as compressed data, an image or an archive by its beginning, else as text."""
        if not self._may_go_on(depth):
            return
        inner = self._inflated(data)
        if inner is not None:
            self.add_bytes(inner[1], (*trail, inner[0]), depth + 1)
        elif image_kind(data):
            image = read_image(data)
            for text in image.texts:
                self.add_text(text, (*trail, f"{image.kind} metadata"), depth + 1)
            if image.problem:
                self.problems.setdefault("image", image.problem)
        elif data.startswith(b"PK\x03\x04"):
            self._add_archive(data, trail, depth)
        elif data.startswith((b"%PDF-", b"PAR1")):
            self.problems.setdefault("embedded_file", "It holds another file in disguise.")
        else:
            text, share = text_of(data)
            if share >= 0.9:
                self.add_text(text, trail, depth)
            elif inflate_raw(data):
                self.add_bytes(inflate_raw(data), (*trail, "deflate"), depth + 1)
            elif text:
                self._add(Layer(fold(text), trail, is_guess=True))

    def add_text(self, text: str, trail: tuple[str, ...] = (), depth: int = 0) -> None:
        """Read a text, and whatever it can be decoded to."""
        if not text.strip() or not self._may_go_on(depth):
            return
        folded = fold(text)
        if is_markup(folded):
            if self._add(Layer(folded, trail, is_source=True)):
                self._add_readings(readable(folded), trail, depth)
                self._add_encoded(folded, trail, depth)
            return
        if self._add(Layer(folded, trail)):
            plain = unescape_entities(folded)
            if plain != folded:
                self.add_text(plain, (*trail, "entities"), depth + 1)
            self._add_readings(folded, trail, depth, is_new=False)
            self._add_encoded(folded, trail, depth)

    def _add_readings(self, text: str, trail: tuple[str, ...], depth: int, *, is_new: bool = True) -> None:
        """Add what a text says besides its letters as they stand."""
        if is_new:
            text = fold(text)
            if not self._add(Layer(text, trail)):
                return
            self._add_encoded(text, trail, depth)
            plain = unescape_entities(text)
            if plain != text:
                self.add_text(plain, (*trail, "entities"), depth + 1)
        for name, decoded in decoded_tokens(text):
            self.add_text(decoded, (*trail, name), depth + 1)
        spaced = spaced_runs(text)
        if spaced:
            # Letters apart in what was decoded from words run together are a guess upon a guess: digits come of it by chance.
            is_guess = SPACES_LEFT_OUT in trail
            self._add(Layer(spaced, (*trail, LETTERS_APART), is_guess=is_guess))
            self._add_encoded(spaced, (*trail, LETTERS_APART), depth)
        together = run_together(text)
        self._add(Layer(together, (*trail, "run together"), is_guess=True))
        self._add(Layer(together[::-1], (*trail, "run together, backwards"), is_guess=True))
        backwards = text[::-1]
        if self._add(Layer(backwards, (*trail, "backwards"), is_guess=True)):
            self._add_encoded(backwards, (*trail, "backwards"), depth)
        chunked = re.sub(r"(?<=[\w+/=])\s+(?=[\w+/=])", "", text)
        if len(chunked) < len(text):
            self._add_encoded(chunked, (*trail, SPACES_LEFT_OUT), depth, is_rough=True)

    def _add_encoded(self, text: str, trail: tuple[str, ...], depth: int, *, is_rough: bool = False) -> None:
        for name, data in encoded_blobs(text, self._tried, is_rough=is_rough):
            self.add_bytes(data, (*trail, name), depth + 1)

    def _add_archive(self, data: bytes, trail: tuple[str, ...], depth: int) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for entry in archive.infolist():
                    self.add_text(entry.filename, (*trail, "zip"), depth + 1)
                    if entry.file_size > self.limits.expanded:
                        self.problems.setdefault("too_large", _TOO_LARGE)
                        return
                    self.add_bytes(archive.read(entry), (*trail, "zip"), depth + 1)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error):
            self.problems.setdefault("unreadable", "It holds an archive that cannot be read.")

    def _inflated(self, data: bytes) -> tuple[str, bytes] | None:
        """Return the name and the result of the compression a byte string has, or None if it has none."""
        for name, begins, make in _COMPRESSED:
            if not data.startswith(begins):
                continue
            unpack = make()
            try:
                found = unpack.decompress(data, self.limits.expanded)
            except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError):
                continue
            if not unpack.eof and len(found) >= self.limits.expanded:
                self.problems.setdefault("too_large", _TOO_LARGE)
                return name, found[:_BEGINNING]
            if found:
                # What is left over is read, too: something may be hung on.
                return name, found + b"\n" + unpack.unused_data if unpack.unused_data else found
        return None

    def _may_go_on(self, depth: int) -> bool:
        if depth > self.limits.depth:
            self.problems.setdefault(
                "too_deep", "It holds data encoded so many times over that it is not read to the end."
            )
        elif time.monotonic() > self._ends:
            self.problems.setdefault("too_long", "Reading it takes too long, so that it is not known what it holds.")
        elif self._characters > self.limits.characters or len(self.layers) > self.limits.layers:
            self.problems.setdefault("too_large", _TOO_LARGE)
        else:
            return True
        return False

    def _add(self, layer: Layer) -> bool:
        """Add a layer; say whether it is new and there is room for it."""
        mark = hash((layer.text, layer.is_guess))
        if mark in self._seen or not layer.text:
            return False
        self._seen.add(mark)
        self._characters += len(layer.text)
        self.layers.append(layer)
        return self._may_go_on(0)


#: Of what is too large to be read, so much is.
_BEGINNING = 100_000
_TOO_LARGE = "It holds more data than is read, when it is unpacked."
_COMPRESSED = (
    ("gzip", b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    ("zlib", (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), zlib.decompressobj),
    ("bz2", b"BZh", bz2.BZ2Decompressor),
    ("xz", (b"\xfd7zXZ", b"\x5d\x00\x00"), lzma.LZMADecompressor),
)
