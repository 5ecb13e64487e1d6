"""What a person looks at: static files, no build step. Served by `bridge/api/page.py`."""
