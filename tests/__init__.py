"""The suite. Its folders mirror the packages; `end_to_end` asks running bridges, over real sockets and a real Redis."""
