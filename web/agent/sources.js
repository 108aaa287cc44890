import {find} from "./elements.js";
import {Track, readSettings} from "./media.js";
import {Listeners} from "./session.js";

const BEAT = 500; // milliseconds between two frames of a picture that does not change
const TIMEOUT = 15_000; // milliseconds until an element knows what it is to play

/** A track with something behind it, which goes with it. */
class SourceTrack extends Track {
  #session;
  #release;

  constructor(session, native, release) {
    super(session, native, true);
    this.#session = session;
    this.#release = release;
  }

  /** There is no more of it: the browser itself is silent about a track that is stopped. */
  finish() {
    if (this.native.readyState === "ended") return;
    this.native.stop();
    this.#session.emit(this, "ended", readSettings(this.native));
  }

  dispose(isEnd = false) {
    super.dispose(isEnd);
    this.#release();
  }
}

function wrap(session, natives, release = () => {}) {
  let users = natives.length;
  const leave = () => {
    users -= 1;
    if (users === 0) release();
  };
  return natives.map((native) => session.add(new SourceTrack(session, native, leave)));
}

const describe = (tracks) => tracks.map((track) => track.describe());

/** Sound of an audio graph into which nothing goes. */
export function makeSilence(session) {
  const context = new AudioContext();
  const natives = context.createMediaStreamDestination().stream.getAudioTracks();
  return describe(wrap(session, natives, () => context.close()));
}

/** A canvas, painted over and over. */
export function makeDarkness(session, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  const context = canvas.getContext("2d");
  const paint = () => context.fillRect(0, 0, width, height);
  paint();
  const natives = canvas.captureStream().getVideoTracks();
  const timer = setInterval(paint, BEAT);
  return describe(wrap(session, natives, () => clearInterval(timer)));
}

/** What an element plays and shows. */
export async function captureElement(session, selector, frameRate) {
  const node = find(selector);
  if (node.tagName === "CANVAS") {
    const stream = frameRate === null ? node.captureStream() : node.captureStream(frameRate);
    return describe(wrap(session, stream.getTracks()));
  }
  if (!node.matches("audio, video")) throw new Error(`an <audio>, a <video> or a <canvas> can be captured, not ${selector}`);
  await loaded(node);
  return describe(wrap(session, await captured(node)));
}

/** Play a file that nobody sees: an address, or its bytes. When it is over its tracks end. */
export async function playFile(session, source, mimeType, loop) {
  const isOurs = typeof source !== "string";
  const url = isOurs ? URL.createObjectURL(new Blob([source], {type: mimeType})) : source;
  const video = document.createElement("video");
  const listeners = new Listeners();
  const close = () => {
    listeners.close();
    video.pause();
    video.removeAttribute("src");
    video.load();
    if (isOurs) URL.revokeObjectURL(url);
  };
  // Without crossOrigin another site's may not be captured, though it allows it.
  Object.assign(video, {crossOrigin: "anonymous", playsInline: true, muted: true, loop});
  try {
    video.src = url;
    await loaded(video);
    const natives = await captured(video);
    await video.play();
    const tracks = wrap(session, natives, close);
    listeners.add(video, () => tracks.forEach((track) => track.finish()), "ended");
    return describe(tracks);
  } catch (error) {
    close();
    throw error;
  }
}

/** Wait until the element knows what it is to play. */
async function loaded(video) {
  if (video.readyState >= HTMLMediaElement.HAVE_METADATA) return;
  if ((await first(video, "loadedmetadata", "error")) === "error") {
    throw new DOMException(video.error?.message || "the file cannot be played", "NotSupportedError");
  }
}

async function captured(video) {
  const stream = video.captureStream ? video.captureStream() : video.mozCaptureStream();
  if (stream.getTracks().length === 0) await first(stream, "addtrack");
  return stream.getTracks();
}

/** Wait for the first event of these types; its type. */
async function first(target, ...types) {
  const listeners = new Listeners();
  let timer;
  try {
    return await new Promise((resolve, reject) => {
      listeners.add(target, ({type}) => resolve(type), ...types);
      timer = setTimeout(() => reject(new DOMException("there is nothing to play", "TimeoutError")), TIMEOUT);
    });
  } finally {
    clearTimeout(timer);
    listeners.close();
  }
}

/** A MediaRecorder. */
export class Recorder {
  static calls = ["stop"];
  #native;
  #listeners = new Listeners();
  #events = Promise.resolve(); // handed on in order: the bytes of a piece take a while
  #problem = null;

  constructor(session, track, mimeTypes, timeslice) {
    if (!globalThis.MediaRecorder) throw new DOMException("this browser cannot record", "NotSupportedError");
    const mimeType = mimeTypes.find((type) => MediaRecorder.isTypeSupported(type));
    this.#native = new MediaRecorder(new MediaStream([session.get(track).native]), mimeType ? {mimeType} : {});
    const tell = (event) => (this.#events = this.#events.then(() => this.#tell(session, event)));
    this.#listeners.add(this.#native, tell, "start", "dataavailable", "stop", "error");
    this.#native.start(timeslice);
  }

  async #tell(session, event) {
    if (event.type === "start") session.emit(this, "start", this.#native.mimeType);
    else if (event.type === "error") this.#problem = [event.error?.name ?? "Error", event.error?.message ?? ""];
    else if (event.type === "stop") session.emit(this, "stop", ...(this.#problem ?? []));
    else if (event.data.size) session.emit(this, "data", await event.data.arrayBuffer());
  }

  stop() {
    if (this.#native.state !== "inactive") this.#native.stop();
  }

  dispose() {
    this.stop();
    this.#listeners.close();
  }
}
