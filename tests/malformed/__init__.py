"""Hundreds of malformed inputs, over every reader: each ends in a finding or a clear error.

``inputs`` names every kind of input once: how a good one is made, how it is read in public, and what numbers come
out. ``mutations`` spoils the bytes, the table, or the XML of it. ``laws`` is what must hold whatever was done.
"""
