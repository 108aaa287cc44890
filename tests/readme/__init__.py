"""The README's code blocks and the demo, run as they are printed."""
