import {Listeners} from "./session.js";

const SETTINGS = {
  width: "width",
  height: "height",
  frameRate: "frame_rate",
  deviceId: "device_id",
  groupId: "group_id",
  facingMode: "facing_mode",
  channelCount: "channel_count",
  sampleRate: "sample_rate",
  autoGainControl: "auto_gain_control",
  echoCancellation: "echo_cancellation",
  noiseSuppression: "noise_suppression",
};

export function readSettings(native) {
  const given = native.getSettings();
  const settings = {};
  for (const [key, name] of Object.entries(SETTINGS)) if (given[key] != null) settings[name] = given[key];
  // Newer browsers may say "all" or "remote-only".
  if ("echo_cancellation" in settings) settings.echo_cancellation = Boolean(settings.echo_cancellation);
  return settings;
}

/** A MediaStreamTrack. */
export class Track {
  static calls = ["setEnabled", "setContentHint", "clone", "end", "stop"];
  #session;
  #listeners = new Listeners();
  #isOwn;

  /** @param isOwn whether it was opened here, for Python: then it ends with it */
  constructor(session, native, isOwn) {
    this.#session = session;
    this.native = native;
    this.#isOwn = isOwn;
    this.#listeners.add(native, ({type}) => session.emit(this, type, readSettings(native)), "ended", "mute", "unmute");
  }

  /** What Python has to know of it. */
  describe() {
    const {id, kind, label, readyState} = this.native;
    return {handle: this.id, id, kind, label, ready_state: readyState, settings: readSettings(this.native)};
  }

  setEnabled(enabled) {
    this.native.enabled = enabled;
  }

  setContentHint(hint) {
    this.native.contentHint = hint;
  }

  clone() {
    return this.#session.add(new Track(this.#session, this.native.clone(), true)).describe();
  }

  /** Let the device go, but not the track: a connection may still get it. */
  end() {
    this.native.stop();
  }

  stop() {
    this.native.stop();
    this.#session.free(this);
  }

  /** @param isEnd Python is gone: the camera must not stay on */
  dispose(isEnd = false) {
    if (isEnd && this.#isOwn) this.native.stop();
    this.#listeners.close();
  }
}

function devices(method) {
  const {mediaDevices} = navigator;
  if (typeof mediaDevices?.[method] === "function") return mediaDevices;
  const why = globalThis.isSecureContext
    ? `this browser has no navigator.mediaDevices.${method} for the page`
    : "a page that uses cameras, microphones or screens needs a secure context (https or localhost)";
  throw new DOMException(why, "NotSupportedError");
}

function wrap(session, stream) {
  return stream.getTracks().map((native) => session.add(new Track(session, native, true)).describe());
}

export async function getUserMedia(session, constraints) {
  return wrap(session, await devices("getUserMedia").getUserMedia(constraints));
}

/**
 * Ask for a screen: now if the user has just clicked, else at the next click anywhere on the page.
 *
 * @param arm takes what is to be done at the next click
 */
export async function getDisplayMedia(session, constraints, arm) {
  const mediaDevices = devices("getDisplayMedia");
  const stream = await new Promise((resolve, reject) => {
    const ask = () => mediaDevices.getDisplayMedia(constraints).then(resolve, reject);
    if (navigator.userActivation?.isActive) ask();
    else arm(ask, () => reject(new DOMException("nobody waits for the screen any more", "AbortError")));
  });
  return wrap(session, stream);
}

export async function enumerateDevices() {
  const found = await devices("enumerateDevices").enumerateDevices();
  return found.map(({deviceId, kind, label, groupId}) => [deviceId, kind, label, groupId]);
}

/** Whether the page may open a "camera" or a "microphone": some browsers do not know the question. */
export async function queryPermission(name) {
  try {
    return (await navigator.permissions.query({name})).state;
  } catch {
    return "unknown";
  }
}
