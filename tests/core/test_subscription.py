"""Whose media has arrived."""

from __future__ import annotations

import pytest

from lk_pyodide.core.subscription import ARRIVAL_PATIENCE, MediaOwner, media_owner

BY_MID = {"3": "TR_mid"}


@pytest.mark.parametrize(
    ("streams", "track", "mid", "by_mid", "owner"),
    [
        (["PA_1|TR_2"], "TR_2", "0", {}, ("PA_1", "TR_2")),
        (["PA_1|TR_2"], "{firefox's own}", "0", {}, ("PA_1", "TR_2")),
        (["PA_1|camera"], "TR_2", "0", {}, ("PA_1", "TR_2")),
        (["PA_1|camera"], "{firefox's own}", "3", BY_MID, ("PA_1", "TR_mid")),
        (["PA_1|TR_2"], "TR_3", "3", BY_MID, ("PA_1", "TR_mid")),
        (["PA_1|camera"], "{firefox's own}", "4", BY_MID, ("PA_1", "")),
        (["PA_1"], "TR_2", "", {}, ("PA_1", "TR_2")),
        (["PA_1"], "", "", {}, ("PA_1", "")),
        (["PA_1|TR_2", "PA_9|TR_9"], "x", "", {}, ("PA_1", "TR_2")),
        (["PA_1|a|TR_2"], "TR_3", "", {}, ("PA_1", "TR_3")),
        (["PA_1|x"], "y", "3", {"3": "not a track"}, ("PA_1", "")),
    ],
)
def test_owner(streams: list[str], track: str, mid: str, by_mid: dict[str, str], owner: tuple[str, str]) -> None:
    assert media_owner(streams, track, mid, by_mid) == MediaOwner(*owner)


@pytest.mark.parametrize("streams", [[], [""], ["-"], ["{8c0f}"], ["TR_1|PA_1"], ["-", "PA_1|TR_1"]])
def test_placeholders_have_no_owner(streams: list[str]) -> None:
    assert media_owner(streams, "TR_1", "3", BY_MID) is None


def test_an_owner_is_a_value() -> None:
    owner = MediaOwner("PA_1", "TR_1")
    assert len({owner, MediaOwner("PA_1", "TR_1")}) == 1


def test_media_waits_as_long_as_in_livekit_client() -> None:
    assert ARRIVAL_PATIENCE == 20 * 0.150
