const isFirefox = /firefox/i.test(navigator.userAgent);
// Firefox goes on sending what is not active: this is as little as it can be made to send (livekit-client's values).
const FAINT = {scaleResolutionDownBy: 4, maxBitrate: 10, maxFramerate: 2};

/** An RTCStatsReport as plain data. */
export async function readStats(native) {
  return [...(await native.getStats()).values()];
}

const DEPENDENCIES = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/**
 * Have a section that receives video offer the dependency descriptor, where the browser would not by itself: without it
 * Chrome decodes no AV1 in layers (livekit-client `negotiateDependencyDescriptor`).
 */
export function receiveDependencies(transceiver) {
  const extensions = transceiver.getHeaderExtensionsToNegotiate?.() ?? [];
  const found = extensions.find(({uri}) => uri === DEPENDENCIES);
  if (found?.direction !== "stopped") return;
  found.direction = "sendrecv";
  try {
    transceiver.setHeaderExtensionsToNegotiate(extensions);
  } catch {
    // It is not offered, then.
  }
}

/** Put a codec first in what is offered; which one is sent then is for the other side's answer to say. */
export function preferCodec(transceiver, codec) {
  const isIt = ({mimeType}) => mimeType.toLowerCase() === codec.toLowerCase();
  try {
    const {codecs} = RTCRtpSender.getCapabilities("video");
    const first = codecs.filter(isIt);
    if (first.length) transceiver.setCodecPreferences([...first, ...codecs.filter((each) => !isIt(each))]);
  } catch {
    // Older browsers lack it, or compare with what they can receive.
  }
}

/** An RTCRtpSender. */
export class Sender {
  static calls = ["replaceTrack", "setEncodings", "prefer", "getStats", "remove"];
  #session;
  #connection;
  #native;
  #faint = new Map(); // what encodings were before they became faint
  #changing = Promise.resolve();

  constructor(session, connection, native) {
    this.#session = session;
    this.#connection = connection;
    this.#native = native;
  }

  async replaceTrack(track) {
    await this.#native.replaceTrack(track === null ? null : this.#session.get(track).native);
  }

  /** Overwrite fields of the encodings, matched by rid, or by place; gives those that there is no encoding for. */
  setEncodings(wanted) {
    return this.#change((parameters) => {
      const missing = [];
      for (const [place, values] of wanted.entries()) {
        const known = parameters.encodings;
        const encoding = values.rid ? known.find(({rid}) => rid === values.rid) : known[place];
        if (encoding) this.#overwrite(encoding, values.rid ?? place, values);
        else missing.push(values.rid ?? place);
      }
      return missing;
    });
  }

  prefer(preference) {
    return this.#change((parameters) => {
      parameters.degradationPreference = preference;
    });
  }

  getStats() {
    return readStats(this.#native);
  }

  remove() {
    this.#connection.removeTrack(this.#native); // no track any more, and sendonly becomes inactive
    this.#session.free(this);
  }

  /** One change after the other: the browser refuses parameters given out while an earlier one was under way. */
  #change(change) {
    const next = this.#changing.then(async () => {
      const parameters = this.#native.getParameters();
      const value = change(parameters);
      await this.#native.setParameters(parameters);
      return value;
    });
    this.#changing = next.catch(() => {});
    return next;
  }

  #overwrite(encoding, key, {rid: _rid, ...values}) {
    if (isFirefox) {
      if (!values.active) {
        const before = Object.fromEntries(Object.keys(FAINT).map((name) => [name, encoding[name]]));
        this.#faint.set(key, {...(this.#faint.get(key) ?? before), ...values});
        Object.assign(values, FAINT);
      } else if (this.#faint.has(key)) {
        values = {...this.#faint.get(key), ...values};
        this.#faint.delete(key);
      }
    }
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) delete encoding[name];
      else encoding[name] = value;
    }
  }
}

/** An RTCRtpReceiver. */
export class Receiver {
  static calls = ["getStats", "getAudioLevel", "setPlayoutDelay"];
  #session;
  #native;
  #heard; // the place in the stream of what was heard last

  constructor(session, native) {
    this.#session = session;
    this.#native = native;
  }

  getStats() {
    return readStats(this.#native);
  }

  /** How loud the newest sound is, if there is any. */
  getAudioLevel() {
    const [source] = this.#native.getSynchronizationSources();
    if (!source || source.rtpTimestamp === this.#heard) return null;
    this.#heard = source.rtpTimestamp;
    return source.audioLevel ?? null;
  }

  /** Hold what comes for some seconds before it is played. */
  setPlayoutDelay(seconds) {
    if ("jitterBufferTarget" in this.#native) this.#native.jitterBufferTarget = seconds ? seconds * 1000 : null;
    else if ("playoutDelayHint" in this.#native) this.#native.playoutDelayHint = seconds || null; // older Chromium's name
    else this.#session.emit(this, "undelayed");
  }
}
