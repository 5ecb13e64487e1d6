"""The checks of `aether-bridge doctor`, a module for each subject. They return findings and change nothing."""
