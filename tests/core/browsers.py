"""Browsers, as far as what they send depends on it."""

from dataclasses import replace

from lk_pyodide.core.codecs import Encoders

ALL = ("video/VP8", "video/VP9", "video/H264", "video/AV1", "video/H265")
OPEN = ("video/VP8", "video/VP9", "video/AV1")
CHROME = Encoders("chrome", "140.0.7339.80", "Linux", codecs=ALL)
CHROME_112 = replace(CHROME, version="112.0.5615.49")
CHROME_113 = replace(CHROME, version="113.0.5672.24")
EDGE = Encoders("edge", "140.0.3485.54", "Windows", codecs=ALL)
EDGE_112 = replace(EDGE, version="112.0.1722.34")
OPERA = Encoders("opera", "95.0", "Linux", codecs=OPEN)
FIREFOX = Encoders("firefox", "140.0", "Linux", codecs=ALL)
SAFARI_15 = Encoders("safari", "15.6", "macOS", "10.15.7", ALL)
SAFARI_17 = Encoders("safari", "17.4", "macOS", "10.15.7", ALL)
SAFARI_18_4 = Encoders("safari", "18.4", "macOS", "10.15.7", ALL)
IOS_15 = Encoders("safari", "16.1", "iOS", "15.8", ALL)
IOS_18_4 = Encoders("safari", "", "iOS", "18.4.1", ALL)
SILENT = Encoders("chrome", "140.0", "Linux")
