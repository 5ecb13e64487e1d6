"""What is known of traffic: counted on the data path, written to Redis, and read again as an operator's reports."""
