"""Parquet by local authority and academic year, with a manifest and pseudonyms instead of UPNs."""

from attendance_toolkit.store.store import Store

__all__ = ["Store"]
