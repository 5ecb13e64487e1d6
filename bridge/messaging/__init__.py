"""The data path: who hears a message, in which words, and the connections that hear. Synchronous throughout."""
