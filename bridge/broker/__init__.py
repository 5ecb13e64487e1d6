"""All that knows Redis as such: names, links, the bus, presence, leases, and the server that comes with us."""
