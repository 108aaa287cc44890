import {give} from "./channel.js";
import {Track} from "./media.js";
import {Receiver, Sender, preferCodec, readStats, receiveDependencies} from "./sender.js";
import {Listeners} from "./session.js";

/** An RTCPeerConnection, with its channels, senders and received tracks: they go when it goes. */
export class Connection {
  static calls = [
    "configure", "createChannel", "addReceiver", "addSender", "sendOn", "createOffer", "createAnswer", "setLocalDescription",
    "setRemoteDescription", "addCandidate", "getStats",
  ]; // prettier-ignore
  #session;
  #native;
  #listeners = new Listeners();

  constructor(session, config) {
    this.#session = session;
    if (!globalThis.RTCPeerConnection) {
      throw new DOMException("this browser has no WebRTC, or it is switched off", "NotSupportedError");
    }
    const native = (this.#native = new RTCPeerConnection(config));
    this.#listeners.add(native, () => session.emit(this, "connection", native.connectionState), "connectionstatechange");
    this.#listeners.add(native, () => session.emit(this, "signaling", native.signalingState), "signalingstatechange");
    this.#listeners.add(native, ({candidate}) => this.#onCandidate(candidate), "icecandidate");
    this.#listeners.add(native, (event) => this.#onTrack(event), "track");
    this.#listeners.add(native, ({channel}) => this.#onChannel(channel), "datachannel");
  }

  configure(config) {
    this.#native.setConfiguration(config);
  }

  createChannel(id, label, init) {
    const [channel, native] = give(this.#session, this.#native.createDataChannel(label, init), this, id);
    if (native) this.#session.post([0, channel.id, "native", native], [native]);
  }

  addReceiver(kind) {
    const transceiver = this.#native.addTransceiver(kind, {direction: "recvonly"});
    if (kind === "video") receiveDependencies(transceiver);
  }

  addSender(id, track, encodings, preference, codec) {
    const {native} = this.#session.get(track);
    const init = {direction: "sendonly", streams: [new MediaStream([native])]};
    if (encodings.length) init.sendEncodings = encodings;
    const transceiver = this.#native.addTransceiver(native, init);
    const sender = this.#session.add(new Sender(this.#session, this.#native, transceiver.sender), id, this);
    if (codec !== null) preferCodec(transceiver, codec);
    // A browser that does not know the field ignores it, or refuses.
    if (preference !== null) sender.prefer(preference).catch(() => {});
  }

  sendOn(mid, track) {
    const transceiver = this.#native.getTransceivers().find((known) => known.mid === mid);
    if (!transceiver) throw new DOMException(`there is no section ${mid}`, "InvalidAccessError");
    transceiver.direction = track === null ? "inactive" : "sendonly";
    transceiver.sender.replaceTrack(track === null ? null : this.#session.get(track).native).catch(() => {});
  }

  async createOffer(options) {
    return (await this.#native.createOffer(options)).sdp;
  }

  async createAnswer() {
    return (await this.#native.createAnswer()).sdp;
  }

  async setLocalDescription(type, sdp) {
    await this.#native.setLocalDescription({type, sdp});
    return this.#native.signalingState;
  }

  async setRemoteDescription(type, sdp) {
    await this.#native.setRemoteDescription({type, sdp});
    return this.#native.signalingState;
  }

  addCandidate(candidate) {
    const refused = ({name}) => this.#session.emit(this, "bad candidate", name);
    try {
      this.#native.addIceCandidate(candidate).catch(refused);
    } catch (error) {
      refused(error);
    }
  }

  getStats() {
    return readStats(this.#native);
  }

  dispose() {
    this.#listeners.close();
    this.#native.close();
  }

  #add(part) {
    return this.#session.add(part, undefined, this);
  }

  #onCandidate(candidate) {
    if (candidate) this.#session.emit(this, "candidate", JSON.stringify(candidate));
  }

  #onTrack({track, receiver, transceiver, streams}) {
    const media = this.#add(new Track(this.#session, track, false));
    const {id} = this.#add(new Receiver(this.#session, receiver));
    this.#session.emit(this, "track", media.describe(), id, transceiver.mid, streams.map((stream) => stream.id));
  }

  #onChannel(made) {
    const [channel, native] = give(this.#session, made, this);
    const {label, id} = made;
    this.#session.post([0, this.id, "channel", channel.id, label, id, native], native ? [native] : []);
  }
}
