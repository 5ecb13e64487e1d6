"""Everything that talks to Redis as such: key names, links, the bus, presence, leases, and the private Redis server."""
