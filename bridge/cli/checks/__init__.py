"""What `aether-bridge doctor` looks at. Each module says what it found in one place, and changes nothing."""
