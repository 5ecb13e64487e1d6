"""All that knows Redis: names, links, the bus, presence, the tenant table, and the server that comes with us."""
