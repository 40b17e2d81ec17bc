"""Findings, table specifications, code sets and the registry of screening rules."""
