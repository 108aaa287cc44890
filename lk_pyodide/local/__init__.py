"""A LiveKit-compatible server that runs inside the browser, for rooms without a backend (``local://``)."""
