"""Records of traffic: counted on the data path, written to Redis, and read back as reports for operators."""
