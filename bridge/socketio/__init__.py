"""The optional Socket.IO door, whole: without this folder the bridge serves everything else."""
