"""The data path: routing, publishing, rendering and delivering messages, and the open connections. All synchronous."""
