"""What may be shown to whom, and the hiding of small numbers."""
