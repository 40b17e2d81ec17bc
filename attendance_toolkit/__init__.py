"""School attendance and absence deep dives for English local authorities."""
__version__ = "0.1.0"
