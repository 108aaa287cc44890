// Rooms of livekit-client, several to a page, driven by tests/harness/js_peer.py.
(() => {
  const {Room, RoomEvent, RpcError, Track} = LivekitClient;
  const peers = new Map();
  const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const base64 = (array) => btoa(Array.from(array, (byte) => String.fromCharCode(byte)).join(""));
  const utf8 = (text) => new TextEncoder().encode(text);
  const file = (name, content) => new File([bytes(content)], name, {type: "text/x-test"});

  // See tests/inpage/texts.py.
  function longText(blocks) {
    const starts = [0x21, 0xc0, 0x4e00, 0x1f300];
    let random = 1;
    const next = () => (random = random * 16807 % 2147483647);
    const block = Array.from({length: 20000}, () => String.fromCodePoint(starts[next() % 4] + next() % 90)).join("");
    return Array.from({length: blocks}, (_, number) => `${number} ${block}`).join("");
  }

  // What is long: its SHA-256.
  async function compact(content) {
    return content.length <= 1 << 20 ? content : new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  }

  function describe(value) {
    if (value === null || value === undefined) return String(value);
    if (value instanceof Uint8Array) return `${value.length} bytes`;
    if (value.identity !== undefined) return value.identity;
    if (value.trackSid !== undefined) return `${value.source} ${value.trackSid}`;
    if (value.sid !== undefined) return value.sid;
    if (Array.isArray(value)) return value.map(describe).join(" ");
    return typeof value === "object" ? (value.message ?? JSON.stringify(value)) : String(value);
  }

  const trackState = (publication) => ({
    sid: publication.trackSid,
    name: publication.trackName,
    kind: publication.kind,
    source: publication.source,
    muted: publication.isMuted,
    subscribed: Boolean(publication.track),
    mime_type: publication.mimeType ?? "",
  });

  const participantState = (participant) => ({
    identity: participant.identity,
    sid: participant.sid,
    name: participant.name ?? "",
    metadata: participant.metadata ?? "",
    attributes: participant.attributes,
    quality: participant.connectionQuality,
    tracks: [...participant.trackPublications.values()].map(trackState),
  });

  // Mean deviation of brightness in the picture an element shows: 0 means a plain surface, such as black.
  function contrast(element) {
    if (!element.videoWidth) return 0;
    const canvas = new OffscreenCanvas(32, 18);
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(element, 0, 0, 32, 18);
    const {data} = context.getImageData(0, 0, 32, 18);
    const light = [];
    for (let i = 0; i < data.length; i += 4) light.push((data[i] + data[i + 1] + data[i + 2]) / 3);
    const mean = light.reduce((sum, value) => sum + value, 0) / light.length;
    return light.reduce((sum, value) => sum + Math.abs(value - mean), 0) / light.length;
  }

  class JsPeer {
    constructor() {
      this.events = [];
      this.data = [];
      this.streams = [];
      this.topics = new Set();
      this.changes = 0;
      this.waiters = [];
      this.elements = new Map();
      this.dataTracks = new Map();
      this.frames = new Map();
      this.room = null;
    }

    changed() {
      this.changes++;
      for (const wake of this.waiters.splice(0)) wake();
    }

    async nextChange(since) {
      if (this.changes <= since) {
        await new Promise((resolve) => {
          this.waiters.push(resolve);
          setTimeout(resolve, 1000); // some state changes without an event
        });
      }
      return this.changes;
    }

    listen(room) {
      for (const name of Object.values(RoomEvent)) {
        room.on(name, (...args) => {
          this.events.push({name, args: args.map(describe)});
          if (name === RoomEvent.DataReceived) this.onData(...args);
          if (name === RoomEvent.TrackSubscribed) this.show(args[0]);
          if (name === RoomEvent.TrackUnsubscribed) this.hide(args[0]);
          this.changed();
        });
      }
    }

    onData(payload, participant, kind, topic) {
      this.data.push({data: base64(payload), topic: topic ?? "", reliable: kind === 0, sender: participant?.identity ?? ""});
    }

    show(track) {
      const element = track.attach();
      this.elements.set(track.sid, element);
      document.body.append(element);
    }

    hide(track) {
      this.elements.delete(track.sid);
      for (const element of track.detach()) element.remove();
    }

    async connect(url, token, roomOptions, connectOptions) {
      this.room = new Room(roomOptions);
      this.topics.clear();
      this.listen(this.room);
      await this.room.connect(url, token, connectOptions);
    }

    async disconnect() {
      await this.room?.disconnect();
      for (const element of this.elements.values()) element.remove();
      this.elements.clear();
    }

    state() {
      const room = this.room;
      const remotes = [...room.remoteParticipants.values()].map(participantState);
      return {
        state: room.state,
        room: room.name,
        metadata: room.metadata ?? "",
        local: participantState(room.localParticipant),
        remotes: Object.fromEntries(remotes.map((participant) => [participant.identity, participant])),
      };
    }

    remoteTrack(identity, source) {
      return this.room?.remoteParticipants.get(identity)?.getTrackPublication(source)?.track;
    }

    async inbound(identity, source) {
      const report = await this.remoteTrack(identity, source)?.getRTCStatsReport();
      return [...(report?.values() ?? [])].find((entry) => entry.type === "inbound-rtp");
    }

    async video(identity, source) {
      const stats = await this.inbound(identity, source);
      const element = this.elements.get(this.remoteTrack(identity, source)?.sid);
      if (!stats || !element) return {frames: 0, width: 0, height: 0, contrast: 0};
      const {videoWidth: width, videoHeight: height} = element;
      return {frames: stats.framesDecoded ?? 0, width, height, contrast: contrast(element)};
    }

    async sends(source) {
      const report = await this.room.localParticipant.getTrackPublication(source)?.track?.getRTCStatsReport();
      const entries = [...(report?.values() ?? [])];
      return JSON.stringify(entries.filter(({type, nominated}) => type === "outbound-rtp" || nominated));
    }

    async audio(identity, seconds) {
      const first = await this.inbound(identity, Track.Source.Microphone);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      const last = await this.inbound(identity, Track.Source.Microphone);
      if (!first || !last) return 0;
      const duration = last.totalSamplesDuration - first.totalSamplesDuration;
      return duration > 0 ? Math.sqrt((last.totalAudioEnergy - first.totalAudioEnergy) / duration) : 0;
    }

    async mute(source, muted) {
      const track = this.room.localParticipant.getTrackPublication(source).track;
      await (muted ? track.mute() : track.unmute());
    }

    async publish(payload, reliable, topic, identities) {
      const destinationIdentities = identities.length ? identities : undefined;
      await this.room.localParticipant.publishData(bytes(payload), {reliable, topic, destinationIdentities});
    }

    async publishNumbers(count, topic) {
      const me = this.room.localParticipant;
      for (let number = 0; number < count; number++) await me.publishData(utf8(`${number}`), {reliable: true, topic});
    }

    forgetRecords() {
      for (const records of [this.events, this.data, this.streams]) records.length = 0;
    }

    takeStreams(topic) {
      if (this.topics.has(topic)) return;
      this.topics.add(topic);
      this.room.registerTextStreamHandler(topic, (reader, {identity}) => this.read("text", reader, identity));
      this.room.registerByteStreamHandler(topic, (reader, {identity}) => this.read("bytes", reader, identity));
    }

    async read(kind, reader, sender) {
      const pieces = [];
      let failed = "";
      try {
        for await (const piece of reader) pieces.push(kind === "text" ? utf8(piece) : piece);
      } catch (error) {
        failed = error.reasonName ?? error.message;
      }
      const {info} = reader;
      this.streams.push({
        kind, sender, failed,
        data: base64(await compact(new Uint8Array(await new Blob(pieces).arrayBuffer()))),
        topic: info.topic,
        id: info.id,
        attributes: info.attributes,
        size: info.size ?? null,
        name: info.name ?? "",
        mime_type: info.mimeType,
        attachments: info.attachedStreamIds ?? [],
      });
      this.changed();
    }

    async sendStream(kind, content, {identities, ...options}) {
      const me = this.room.localParticipant;
      const all = {...options, destinationIdentities: identities?.length ? identities : undefined};
      if (kind === "text") await me.sendText(content, all);
      else await me.sendBytes(bytes(content), all);
    }

    async sendLongText(blocks, topic) {
      await this.room.localParticipant.sendText(longText(blocks), {topic});
    }

    async sendAttached(text, files, topic) {
      const progress = [];
      const attachments = Object.entries(files).map(([name, content]) => file(name, content));
      const onProgress = (done) => progress.push(done);
      await this.room.localParticipant.sendText(text, {topic, attachments, onProgress});
      return progress;
    }

    async sendFile(content, name, topic) {
      await this.room.localParticipant.sendFile(file(name, content), {topic});
    }

    async writeStream(kind, pieces, options) {
      const me = this.room.localParticipant;
      const writer = await (kind === "text" ? me.streamText(options) : me.streamBytes(options));
      for (const piece of pieces) await writer.write(kind === "text" ? piece : bytes(piece));
      await writer.close();
    }

    async publishDataTrack(name) {
      this.dataTracks.set(name, await this.room.localParticipant.publishDataTrack({name}));
    }

    // Timestamps are 64 bits, hence text in JSON.
    async pushFrame(name, payload, timestamp) {
      const userTimestamp = timestamp === null ? undefined : BigInt(timestamp);
      await this.dataTracks.get(name).tryPush({payload: bytes(payload), userTimestamp});
    }

    async unpublishDataTrack(name) {
      await this.dataTracks.get(name).unpublish();
      this.dataTracks.delete(name);
    }

    // Frames come into `this.frames` from now on, until the track ends.
    async subscribeDataTrack(identity, name) {
      const track = await this.room.remoteParticipants.get(identity).dataTracks.getDeferred(name);
      const frames = [];
      this.frames.set(`${identity} ${name}`, frames);
      const reader = track.subscribe().getReader();
      (async () => {
        for (let read = await reader.read(); !read.done; read = await reader.read()) {
          frames.push({data: base64(read.value.payload), timestamp: read.value.userTimestamp?.toString() ?? null});
          this.changed();
        }
        frames.push({data: null, timestamp: null});
        this.changed();
      })();
    }

    async beginText(piece, options) {
      const writer = await this.room.localParticipant.streamText(options);
      await writer.write(piece);
    }

    setDeaf(deaf) {
      const {engine} = this.room;
      if (deaf) this.hearing = engine.listeners("dataPacketReceived");
      for (const listener of this.hearing) engine[deaf ? "off" : "on"]("dataPacketReceived", listener);
    }

    registerRpc(method, {code, message, data}) {
      const answers = {
        echo: (payload) => payload,
        twice: (payload) => payload + payload,
        refuse: () => { throw new RpcError(code, message, data); },
        crash: () => { throw new Error("secret"); },
        hang: () => new Promise(() => {}),
      };
      this.room.localParticipant.unregisterRpcMethod(method);
      this.room.localParticipant.registerRpcMethod(method, async ({payload}) => answers[method](payload));
    }

    async performRpc(destinationIdentity, method, payload, seconds) {
      const responseTimeout = seconds === null ? undefined : seconds * 1000;
      const call = {destinationIdentity, method, payload, responseTimeout};
      try {
        return {payload: await this.room.localParticipant.performRpc(call)};
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        return {code: error.code, message: error.message, data: error.data ?? ""};
      }
    }
  }

  globalThis.lkPeers = {
    create: (key) => (peers.set(key, new JsPeer()), null),
    drop: (key) => (peers.delete(key), null),
    get: (key) => peers.get(key),
  };
})();
