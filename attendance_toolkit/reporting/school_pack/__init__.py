"""Packs for Targeting Support Meetings: one restricted, printable page a school."""

from attendance_toolkit.reporting.school_pack.build import KIND, PacksMade, build_packs

__all__ = ["KIND", "PacksMade", "build_packs"]
