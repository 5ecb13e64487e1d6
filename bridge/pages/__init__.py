"""The pages for people: static files without a build step, and how they are served."""
