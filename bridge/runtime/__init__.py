"""One running process: its application, parts, server, workers, logs and metrics."""
