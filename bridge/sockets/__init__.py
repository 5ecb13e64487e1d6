"""All that knows sockets: frames, the two server protocols, outboxes, and the hub. Nothing here knows Redis."""
