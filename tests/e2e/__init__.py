"""End-to-end tests: real browsers, a real livekit-server, other people's clients as peers."""
