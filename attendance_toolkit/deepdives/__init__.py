"""The deep dives: metrics, protection and presentation put together, one module per notebook."""
