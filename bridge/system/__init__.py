"""What the machine lends a process: memory, open files, and a thread for long work."""
