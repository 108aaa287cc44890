"""A browser for tests: ``Room(browser=FakeBrowser())`` runs in plain Python, without network and without clock."""

from lk_pyodide.browser.fake import (
    FakeBrowser,
    FakeFile,
    FakeMediaStreamTrack,
    FakeNode,
    FakeServerSocket,
    FakeSocketClosed,
)

__all__ = ["FakeBrowser", "FakeFile", "FakeMediaStreamTrack", "FakeNode", "FakeServerSocket", "FakeSocketClosed"]
