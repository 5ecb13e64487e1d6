"""Moving a tenant from V2 to V3: changes, their guards, the dry run, and the eviction of open connections."""
