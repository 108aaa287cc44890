"""The waist: the only package that touches JavaScript, and which knows nothing of LiveKit."""
