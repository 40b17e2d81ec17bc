"""Predicting absence after a step from what is known before it, proving it, and telling support from chance."""
