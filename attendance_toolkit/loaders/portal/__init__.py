"""Read downloads of DfE's portal, "Monitor your school attendance": summary tables and lists of pupils.

DfE does not publish their columns, so headers are found through a map that a user can copy and edit.
"""

from attendance_toolkit.loaders.portal._headers import (
    PortalHeaders,
    default_headers,
    portal_headers_text,
    read_headers,
)
from attendance_toolkit.loaders.portal._layout import recognise
from attendance_toolkit.loaders.portal._measure_rows import portal_measure_rows
from attendance_toolkit.loaders.portal._pupils import PortalFile, PortalReader
from attendance_toolkit.loaders.portal._summary import PERIODS, read_summary

__all__ = [
    "PERIODS",
    "PortalFile",
    "PortalHeaders",
    "PortalReader",
    "default_headers",
    "portal_headers_text",
    "portal_measure_rows",
    "read_headers",
    "read_summary",
    "recognise",
]
