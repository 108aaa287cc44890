"""Who is in the room: each case in words, then any sequence of updates against a model of what users see."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lk_pyodide.core.messages import DataTrackInfo, ParticipantInfo, TrackInfo
from lk_pyodide.core.roster import (
    Change,
    Changed,
    DataTrackAdded,
    DataTrackMoved,
    DataTrackRemoved,
    Joined,
    Left,
    LocalChanged,
    Roster,
    TrackAdded,
    TrackChanged,
    TrackRemoved,
)
from lk_pyodide.types import DisconnectReason, EncryptionType, ParticipantState

MIC, CAM = TrackInfo(sid="TR_mic"), TrackInfo(sid="TR_cam")
ME = ParticipantInfo(sid="PA_me", identity="me", state=ParticipantState.JOINED, version=3)
ADA = ParticipantInfo(sid="PA_ada", identity="ada", state=ParticipantState.ACTIVE, version=5, tracks=(MIC,))
BOB = ParticipantInfo(sid="PA_bob", identity="bob", state=ParticipantState.ACTIVE, version=1)


def gone(info: ParticipantInfo, reason: DisconnectReason = DisconnectReason.CLIENT_INITIATED) -> ParticipantInfo:
    return replace(info, state=ParticipantState.DISCONNECTED, disconnect_reason=reason, tracks=())


@pytest.fixture
def roster() -> Roster:
    roster = Roster()
    roster.set_local(ME)
    return roster


# -- others ------------------------------------------------------------------------------------------------------------


def test_a_participant_comes_before_its_tracks(roster: Roster) -> None:
    info = replace(ADA, tracks=(MIC, CAM))
    assert roster.apply([info]) == [Joined(info), TrackAdded("ada", MIC), TrackAdded("ada", CAM)]
    assert roster.remotes == {"ada": info}
    assert roster.identity_of("PA_ada") == "ada"


def test_several_come_in_the_order_of_the_update(roster: Roster) -> None:
    assert roster.apply([BOB, ADA]) == [Joined(BOB), Joined(ADA), TrackAdded("ada", MIC)]


def test_the_tracks_go_before_the_participant(roster: Roster) -> None:
    roster.apply([replace(ADA, tracks=(MIC, CAM))])
    changes = roster.apply([gone(ADA, DisconnectReason.PARTICIPANT_REMOVED)])
    assert changes[:2] == [TrackRemoved("ada", MIC), TrackRemoved("ada", CAM)]
    [left] = changes[2:]
    assert isinstance(left, Left)
    assert left.info.identity == "ada"
    assert left.info.state is ParticipantState.DISCONNECTED
    assert left.info.disconnect_reason is DisconnectReason.PARTICIPANT_REMOVED
    assert roster.remotes == {}
    assert roster.identity_of("PA_ada") is None


def test_a_change_of_a_participant(roster: Roster) -> None:
    roster.apply([ADA])
    newer = replace(ADA, version=6, name="Ada", metadata="x")
    assert roster.apply([newer]) == [Changed(ADA, newer)]
    assert roster.remotes["ada"] == newer


def test_a_change_of_tracks_alone_is_no_change_of_the_participant(roster: Roster) -> None:
    roster.apply([ADA])
    muted = replace(MIC, muted=True)
    assert roster.apply([replace(ADA, version=6, tracks=(muted,))]) == [TrackChanged("ada", MIC, muted)]
    assert roster.apply([replace(ADA, version=7, tracks=(muted, CAM))]) == [TrackAdded("ada", CAM)]
    assert roster.apply([replace(ADA, version=8, tracks=(CAM,))]) == [TrackRemoved("ada", muted)]
    assert roster.apply([replace(ADA, version=9, tracks=(CAM,))]) == []


def test_the_participant_is_told_first_then_what_is_new_then_what_is_gone(roster: Roster) -> None:
    roster.apply([ADA])
    newer = replace(ADA, version=6, name="Ada", tracks=(CAM,))
    assert roster.apply([newer]) == [Changed(ADA, newer), TrackAdded("ada", CAM), TrackRemoved("ada", MIC)]


def test_an_older_version_is_dropped(roster: Roster) -> None:
    roster.apply([ADA])
    assert roster.apply([replace(ADA, version=4, name="old", tracks=())]) == []
    assert roster.remotes["ada"] == ADA


def test_the_same_version_is_taken(roster: Roster) -> None:
    roster.apply([ADA])
    same = replace(ADA, name="new")
    assert roster.apply([same]) == [Changed(ADA, same)]


def test_a_new_connection_of_someone_is_leaving_and_coming(roster: Roster) -> None:
    roster.apply([ADA])
    again = replace(ADA, sid="PA_ada2", version=0, tracks=(CAM,))
    assert roster.apply([again]) == [
        TrackRemoved("ada", MIC),
        Left(replace(ADA, state=ParticipantState.DISCONNECTED)),
        Joined(again),
        TrackAdded("ada", CAM),
    ]
    assert roster.identity_of("PA_ada") is None
    assert roster.identity_of("PA_ada2") == "ada"


def test_the_late_goodbye_of_an_earlier_connection_removes_nobody(roster: Roster) -> None:
    again = replace(ADA, sid="PA_ada2")
    roster.apply([ADA, again])
    assert roster.apply([gone(ADA)]) == []
    assert roster.remotes == {"ada": again}


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (replace(ADA, joined_at=8), replace(ADA, sid="PA_ada2", version=0, joined_at=9)),
        (replace(ADA, joined_at=8, joined_at_ms=8100), replace(ADA, sid="PA_ada2", joined_at=8, joined_at_ms=8900)),
    ],
    ids=["seconds", "milliseconds"],
)
def test_late_news_of_an_earlier_connection_are_dropped(
    roster: Roster, first: ParticipantInfo, again: ParticipantInfo
) -> None:
    roster.apply([first, again])
    assert roster.apply([replace(first, version=6, tracks=(MIC, CAM))]) == []
    assert roster.remotes == {"ada": again}
    assert roster.identity_of("PA_ada2") == "ada"


@pytest.mark.parametrize(("known", "new"), [(0, 0), (1000, 0), (0, 1000), (1000, 1000)])
def test_a_connection_that_is_not_known_to_be_older_is_a_new_one(roster: Roster, known: int, new: int) -> None:
    roster.apply([replace(BOB, joined_at=known)])
    again = replace(BOB, sid="PA_bob2", joined_at=new)
    assert roster.apply([again])[-1] == Joined(again)


def test_a_goodbye_without_a_sid_counts(roster: Roster) -> None:
    roster.apply([BOB])
    assert roster.apply([replace(gone(BOB), sid="")]) == [Left(gone(BOB))]


def test_the_goodbye_of_a_stranger_is_nothing(roster: Roster) -> None:
    assert roster.apply([gone(ADA)]) == []
    roster.apply([ADA])
    roster.apply([gone(ADA)])
    assert roster.apply([gone(ADA)]) == []


def test_a_goodbye_counts_whatever_its_version(roster: Roster) -> None:
    roster.apply([ADA])
    assert Left in map(type, roster.apply([replace(gone(ADA), version=0)]))


def test_old_servers_leave_the_identity_out(roster: Roster) -> None:
    roster.apply([ADA])
    changes = roster.apply([replace(ADA, identity="", version=6, name="Ada")])
    assert changes == [Changed(ADA, replace(ADA, version=6, name="Ada"))]
    assert roster.remotes["ada"].identity == "ada"
    assert roster.apply([replace(ME, identity="", name="I")]) == [LocalChanged(ME, replace(ME, name="I"))]
    assert roster.apply([replace(BOB, identity="")]) == [], "a sid that nobody has"
    assert roster.apply([ParticipantInfo()]) == []


def test_everyone_can_be_forgotten(roster: Roster) -> None:
    roster.apply([ADA, BOB])
    changes = roster.clear()
    assert changes == [
        TrackRemoved("ada", MIC),
        Left(replace(ADA, state=ParticipantState.DISCONNECTED)),
        Left(replace(BOB, state=ParticipantState.DISCONNECTED)),
    ]
    assert roster.remotes == {}
    assert roster.local == ME
    assert roster.clear() == []


def test_the_others_can_be_looked_at_only(roster: Roster) -> None:
    with pytest.raises(TypeError):
        roster.remotes["ada"] = ADA  # type: ignore[index]  # that is the point


# -- ourselves ---------------------------------------------------------------------------------------------------------


def test_we_are_not_among_the_others(roster: Roster) -> None:
    newer = replace(ME, version=4, name="me", tracks=(CAM,))
    assert roster.apply([newer, ADA]) == [LocalChanged(ME, newer), Joined(ADA), TrackAdded("ada", MIC)]
    assert roster.local == newer
    assert set(roster.remotes) == {"ada"}
    assert roster.identity_of("PA_me") == "me"


def test_old_news_of_ourselves_are_dropped(roster: Roster) -> None:
    assert roster.apply([replace(ME, version=2, name="old")]) == []
    assert roster.local == ME


def test_another_connection_with_our_identity_is_not_us(roster: Roster) -> None:
    assert roster.apply([replace(ME, sid="PA_other", version=9)]) == []
    assert roster.apply([gone(replace(ME, sid="PA_other"))]) == []
    assert roster.local == ME


def test_before_the_join_nobody_is_local() -> None:
    roster = Roster()
    assert roster.local == ParticipantInfo()
    assert roster.identity_of("") is None
    assert roster.apply([ADA])[0] == Joined(ADA)


# -- data tracks -------------------------------------------------------------------------------------------------------

POSE, CHAT = DataTrackInfo(1, "DTR_pose", "pose"), DataTrackInfo(2, "DTR_chat", "chat")


def test_data_tracks_come_and_go_with_their_participant(roster: Roster) -> None:
    info = replace(ADA, data_tracks=(POSE, CHAT))
    added = [DataTrackAdded("ada", POSE), DataTrackAdded("ada", CHAT)]
    assert roster.apply([info]) == [Joined(info), TrackAdded("ada", MIC), *added]
    *removed, left = roster.apply([gone(ADA)])
    assert removed == [TrackRemoved("ada", MIC), DataTrackRemoved("ada", POSE), DataTrackRemoved("ada", CHAT)]
    assert isinstance(left, Left)


def test_a_change_of_data_tracks_alone(roster: Roster) -> None:
    roster.apply([replace(ADA, data_tracks=(POSE,))])
    changes = roster.apply([replace(ADA, version=6, data_tracks=(CHAT,))])
    assert changes == [DataTrackAdded("ada", CHAT), DataTrackRemoved("ada", POSE)]
    assert roster.apply([replace(ADA, version=7, data_tracks=(CHAT,))]) == []


def test_a_data_track_with_another_sid_is_the_same(roster: Roster) -> None:
    """It was published again; what its publisher said of it has not changed."""
    roster.apply([replace(ADA, data_tracks=(POSE, CHAT))])
    again = replace(POSE, sid="DTR_again")
    assert roster.apply([replace(ADA, data_tracks=(CHAT, again))]) == [DataTrackMoved("ada", POSE, again)]


@pytest.mark.parametrize(
    "other",
    [replace(POSE, pub_handle=9), replace(POSE, name="other"), replace(POSE, encryption=EncryptionType.GCM)],
    ids=["handle", "name", "encryption"],
)
def test_a_data_track_of_which_more_is_new_is_another(roster: Roster, other: DataTrackInfo) -> None:
    roster.apply([replace(ADA, data_tracks=(POSE,))])
    other = replace(other, sid="DTR_again")
    changes = roster.apply([replace(ADA, data_tracks=(other,))])
    assert changes == [DataTrackAdded("ada", other), DataTrackRemoved("ada", POSE)]


# -- any sequence ------------------------------------------------------------------------------------------------------

NAMES = [("ada", "PA_a1"), ("ada", "PA_a2"), ("bob", "PA_b1"), ("bob", "PA_b2"), ("", "PA_a1"), ("", "PA_b2"), ("", "")]


def named(name: tuple[str, str], info: ParticipantInfo) -> ParticipantInfo:
    return replace(info, identity=name[0], sid=name[1])


bare_infos = st.builds(
    ParticipantInfo,
    name=st.sampled_from(["", "A", "B"]),
    state=st.sampled_from(list(ParticipantState)),
    version=st.integers(0, 4),
    joined_at_ms=st.integers(0, 2),
    tracks=st.lists(
        st.builds(TrackInfo, sid=st.sampled_from(["TR_1", "TR_2", "TR_3"]), muted=st.booleans()),
        max_size=3,
        unique_by=lambda track: track.sid,
    ).map(tuple),
    data_tracks=st.lists(
        st.builds(DataTrackInfo, st.integers(1, 2), st.sampled_from(["DTR_1", "DTR_2", "DTR_3"]), st.just("data")),
        max_size=2,
        unique_by=lambda track: track.sid,
    ).map(tuple),
)
infos = st.builds(named, st.sampled_from(NAMES), bare_infos)


def bare(info: ParticipantInfo) -> ParticipantInfo:
    return replace(info, version=0, tracks=(), data_tracks=())


class Audience:
    """Someone who knows the room from the changes alone."""

    def __init__(self) -> None:
        self.people: dict[str, ParticipantInfo] = {}
        self.tracks: dict[str, dict[str, TrackInfo]] = {}
        self.data_tracks: dict[str, dict[str, DataTrackInfo]] = {}

    def hear(self, change: Change) -> None:
        match change:
            case Joined(info):
                assert info.identity not in self.people, "nobody comes twice"
                self.people[info.identity] = info
                self.tracks[info.identity] = {}
                self.data_tracks[info.identity] = {}
            case Left(info):
                assert self.tracks.pop(info.identity) == {}, "the tracks went before"
                assert self.data_tracks.pop(info.identity) == {}
                assert self.people.pop(info.identity).sid == info.sid
            case Changed(old, new):
                assert self.people[new.identity].name == old.name
                assert bare(old) != bare(new)
                self.people[new.identity] = new
            case TrackAdded(identity, track):
                assert track.sid not in self.tracks[identity]
                self.tracks[identity][track.sid] = track
            case TrackChanged(identity, old_track, new_track):
                assert self.tracks[identity][new_track.sid] == old_track != new_track
                self.tracks[identity][new_track.sid] = new_track
            case TrackRemoved(identity, track):
                assert self.tracks[identity].pop(track.sid) == track
            case DataTrackAdded(identity, data_track):
                assert data_track.sid not in self.data_tracks[identity]
                self.data_tracks[identity][data_track.sid] = data_track
            case DataTrackMoved(identity, old_data_track, new_data_track):
                del self.data_tracks[identity][old_data_track.sid]
                assert new_data_track.sid not in self.data_tracks[identity]
                self.data_tracks[identity][new_data_track.sid] = new_data_track
            case DataTrackRemoved(identity, data_track):
                del self.data_tracks[identity][data_track.sid]
            case LocalChanged():
                pytest.fail("we are not in these updates")


@settings(max_examples=300)
@given(st.lists(st.lists(infos, max_size=3), max_size=12))
def test_whoever_hears_all_changes_knows_the_room(updates: list[list[ParticipantInfo]]) -> None:
    roster = Roster()
    roster.set_local(ME)
    audience = Audience()
    for update in updates:
        for change in roster.apply(update):
            audience.hear(change)
        assert audience.people.keys() == roster.remotes.keys()
        for identity, info in roster.remotes.items():
            known = audience.people[identity]
            assert bare(known) == bare(info)
            assert audience.tracks[identity] == {track.sid: track for track in info.tracks}
            assert set(audience.data_tracks[identity]) == {track.sid for track in info.data_tracks}
            assert roster.identity_of(info.sid) == identity
    for change in roster.clear():
        audience.hear(change)
    assert audience.people == {}
