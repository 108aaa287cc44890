"""What a backend does to a room behind its participants' backs: the RoomService calls that tests need."""

from collections.abc import Mapping, Sequence

import aiohttp
from livekit import api

from tests.harness.tokens import API_KEY, API_SECRET


class RoomAdmin:
    """RoomService of one livekit-server. Room name first, identity second, as in the server's own API."""

    def __init__(self, http_url: str) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        self._rooms = api.LiveKitAPI(http_url, API_KEY, API_SECRET, session=self._session, failover=False).room

    async def close(self) -> None:
        """Close the HTTP connections."""
        await self._session.close()

    async def create_room(self, room: str, *, metadata: str = "", empty_timeout: int = 30) -> api.Room:
        """Create the room before anyone joins."""
        return await self._rooms.create_room(
            api.CreateRoomRequest(name=room, metadata=metadata, empty_timeout=empty_timeout)
        )

    async def delete_room(self, room: str) -> None:
        """Delete the room; everyone in it is disconnected."""
        await self._rooms.delete_room(api.DeleteRoomRequest(room=room))

    async def room_names(self) -> list[str]:
        """The rooms that exist now."""
        return [room.name for room in (await self._rooms.list_rooms(api.ListRoomsRequest())).rooms]

    async def participants(self, room: str) -> dict[str, api.ParticipantInfo]:
        """Who is in the room, by identity; empty when there is no such room."""
        if room not in await self.room_names():
            return {}
        answer = await self._rooms.list_participants(api.ListParticipantsRequest(room=room))
        return {participant.identity: participant for participant in answer.participants}

    async def mute_track(self, room: str, identity: str, track_sid: str, muted: bool = True) -> None:
        """Mute or unmute a published track. Unmuting needs `room.enable_remote_unmute`, which our server has."""
        await self._rooms.mute_published_track(
            api.MuteRoomTrackRequest(room=room, identity=identity, track_sid=track_sid, muted=muted)
        )

    async def update_participant(
        self,
        room: str,
        identity: str,
        *,
        name: str | None = None,
        metadata: str | None = None,
        attributes: Mapping[str, str] | None = None,
        permission: api.ParticipantPermission | None = None,
    ) -> None:
        """Change what is given; leave the rest."""
        request = api.UpdateParticipantRequest(room=room, identity=identity, permission=permission)
        if name is not None:
            request.name = name
        if metadata is not None:
            request.metadata = metadata
        request.attributes.update(attributes or {})
        await self._rooms.update_participant(request)

    async def update_room_metadata(self, room: str, metadata: str) -> None:
        """Change the room's metadata."""
        await self._rooms.update_room_metadata(api.UpdateRoomMetadataRequest(room=room, metadata=metadata))

    async def remove_participant(self, room: str, identity: str) -> None:
        """Kick someone out."""
        await self._rooms.remove_participant(api.RoomParticipantIdentity(room=room, identity=identity))

    async def send_data(
        self, room: str, data: bytes, *, topic: str = "", reliable: bool = True, identities: Sequence[str] = ()
    ) -> None:
        """Send a data packet as the server: it arrives without a participant."""
        kind = api.DataPacket.Kind.RELIABLE if reliable else api.DataPacket.Kind.LOSSY
        await self._rooms.send_data(
            api.SendDataRequest(room=room, data=data, kind=kind, topic=topic, destination_identities=list(identities))
        )
