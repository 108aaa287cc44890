"""A LiveKit-compatible server that runs inside the browser, for rooms without a backend (``local://``).

The tabs of one origin in one browser meet here; one of them is the server, and passes on everybody's media. It decides
as livekit-server does, and answers what it cannot do with the protocol's own errors or harmless defaults. Its limits:

* One origin in one browser profile, on one machine: there is no way in from elsewhere. About ten participants, since
  one tab decodes and encodes everybody's video.
* A network interface has to be up: without any, browsers find no way even to themselves.
* The origin is the trust boundary: any page of it can speak on the channel, in anybody's name, and the key that signs
  tokens is known to all.
* One layer of each video goes to everybody at full size. Simulcast is taken, its largest layer sent;
  ``UpdateTrackSettings`` (adaptive stream), dynacast and backup codecs change nothing.
* No end-to-end encryption of media, because the server's tab decodes it: an encrypted publication is refused with
  ``RequestResponse`` ``UNSUPPORTED_TYPE``. Data packets and data tracks pass as they are, encrypted or not.
* Nobody resumes: who has lost its server or its connection joins anew (``Leave`` ``STATE_MISMATCH``, ``RECONNECT``).
* A room begins with the first who joins it and ends with the last who leaves. There is no server API: nobody is
  removed, muted or given other permissions from outside, and ``SimulateScenario`` does nothing.
* No TURN, egress, ingress or dispatch of agents; data blobs are refused (``NOT_ALLOWED``, ``NOT_FOUND``).
* Connection quality is excellent, or lost when a tab does not answer.
"""

from __future__ import annotations

from lk_pyodide.browser.api import Browser
from lk_pyodide.session.schemes import SCHEMES, Network


def register() -> None:
    """Have ``local://`` addresses reach the server here, which is loaded when it is first used."""
    SCHEMES["local"] = _network


def _network(browser: Browser, address: str) -> Network:
    from lk_pyodide.local.network import LocalNetwork

    return LocalNetwork(browser, address)
