"""Hand XML to expat, whose faults about encodings are of other kinds than those about the XML."""

from __future__ import annotations

from xml.parsers import expat

from attendance_toolkit.loaders._text import NotReadableError


def feed(parser: expat.XMLParserType, chunk: bytes, *, is_last: bool = False) -> None:
    """Parse the next bytes of a file.

    Raises
    ------
    NotReadableError
        The XML says that it is written in an encoding which does not exist or cannot be read.
    xml.parsers.expat.ExpatError
        The XML is not well formed or breaks off.
    """
    try:
        parser.Parse(chunk, is_last)
    except (LookupError, ValueError) as error:
        # A KeyError or ValueError of a handler is a fault of this toolkit and must be seen.
        if type(error) is LookupError or isinstance(error, UnicodeError) or "multi-byte encodings" in str(error):
            raise NotReadableError(
                "xml_malformed",
                "the XML declares an encoding that does not exist or cannot be read.",
                'Export the file again as UTF-8, or put encoding="UTF-8" into its first line if it is UTF-8.',
                1,
            ) from None
        raise
