"""RFC 6455 and HTTP/1.1 under uvicorn: frames, the two server protocol classes, and the bounds of each socket."""
