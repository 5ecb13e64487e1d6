"""What one process uses of the machine: memory, open files, and a thread for long work."""
