"""What a person looks at: static files, no build step, and how they are served."""
