"""Fetch DfE's published data sets through the public API of Explore education statistics."""

from attendance_toolkit.loaders.ees_api._client import EesApi
from attendance_toolkit.loaders.ees_api._command import fetch_command
from attendance_toolkit.loaders.ees_api._download import Fetched
from attendance_toolkit.loaders.ees_api._transport import DEFAULT_BASE_URL, Transport

__all__ = [
    "DEFAULT_BASE_URL",
    "EesApi",
    "Fetched",
    "Transport",
    "fetch_command",
]
