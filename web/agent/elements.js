import {Gestures} from "./gesture.js";

const agent = navigator.userAgent;
const isFirefox = /firefox/i.test(agent);
const isSafari = !/chrome|chromium|android/i.test(agent) && /safari/i.test(agent);
const IDLE_AUDIO = 2;
const idle = []; // audio elements that a click has once made play: iOS lets these go on without another one

export function find(target) {
  const node = document.querySelector(target);
  if (!node) throw new Error(`nothing on the page matches ${JSON.stringify(target)}`);
  return node;
}

/** A media element, made here or found on the page. */
export class Element {
  static calls = ["attach", "detach", "play", "setMuted", "setVolume", "setSinkId", "mount", "show"];
  #session;
  #native = null;
  #isOwn = false;
  #attached = new Map(); // kind -> [the track's object, its native]
  #muted = null; // what the user wants; null leaves it to us
  #later = null;
  #latest = null; // outcome of the last play()
  #gestures = new Gestures("Click anywhere on the page to start the sound.");
  #figure = null;
  #places = null;

  constructor(session, kind, target) {
    this.#session = session;
    const node = target === null ? null : find(target);
    if (node?.matches("audio, video")) {
      if (kind === "video" && node.tagName === "AUDIO") throw new Error("an <audio> element cannot show video");
      this.#native = node;
      return;
    }
    this.#isOwn = true;
    this.#native = (kind === "audio" && idle.pop()) || document.createElement(kind);
    node?.append(this.#native);
  }

  get native() {
    return this.#native;
  }

  /** Play a track, in place of another of its kind. */
  attach(track) {
    const native = this.#session.get(track).native;
    const stream = this.#native.srcObject ?? new MediaStream();
    for (const other of stream.getTracks()) {
      if (other.kind === native.kind && other !== native) stream.removeTrack(other);
    }
    stream.addTrack(native);
    this.#attached.set(native.kind, [track, native]);
    // In low power mode Safari lays a play button over a video that has `autoplay`.
    if (!(isSafari && this.#native.tagName === "VIDEO")) this.#native.autoplay = true;
    this.#native.playsInline = true;
    this.#applyMuted();
    if (this.#native.srcObject !== stream) {
      this.#native.srcObject = stream;
      // These show video only when its source is set once more, out of the running task.
      if ((isFirefox || isSafari) && this.#native.tagName === "VIDEO") this.#setAgain(stream);
    }
    this.#start();
  }

  detach(track) {
    const [kind, entry] = [...this.#attached].find(([, [known]]) => known === track) ?? [];
    if (!entry) return;
    this.#attached.delete(kind);
    const stream = this.#native.srcObject;
    stream?.removeTrack(entry[1]);
    if (stream?.getTracks().length) this.#applyMuted();
    else this.#native.srcObject = null;
  }

  /** Start now, or at the user's next click if the browser wants one. */
  async play() {
    this.#applyMuted();
    if (!this.#native.srcObject) return;
    try {
      await this.#follow(this.#start());
    } catch (error) {
      if (error.name !== "NotAllowedError") throw error;
      await this.#playAtGesture();
    }
  }

  setMuted(muted) {
    this.#muted = muted;
    this.#applyMuted();
  }

  setVolume(volume) {
    this.#native.volume = volume;
  }

  async setSinkId(device) {
    if (!this.#native.setSinkId) throw new DOMException("this browser cannot choose a loudspeaker", "NotSupportedError");
    await this.#native.setSinkId(device);
  }

  /** Append the element to the first match of a CSS selector. */
  mount(selector) {
    find(selector).append(this.#native);
  }

  /** Stand in the newest place of this name, now or as soon as there is one: a notebook shows it when it likes to. */
  show(name, caption) {
    this.#figure ??= makeFigure(this.#native, caption);
    const stand = () => {
      const place = [...document.querySelectorAll(`[data-lk-place="${CSS.escape(name)}"]`)].at(-1);
      if (!place || place.contains(this.#figure)) return;
      place.append(this.#figure);
      tellEmptiness(place);
      this.#start(); // whatever is moved stops playing
    };
    this.#places?.disconnect();
    this.#places = new MutationObserver(stand);
    this.#places.observe(document.body, {childList: true, subtree: true});
    stand();
  }

  dispose() {
    clearTimeout(this.#later);
    this.#gestures.callOff();
    this.#places?.disconnect();
    for (const [track] of [...this.#attached.values()]) this.detach(track);
    if (!this.#isOwn) return;
    const native = this.#native;
    const place = this.#figure?.parentElement;
    this.#figure?.remove();
    if (place) tellEmptiness(place);
    native.remove();
    // Not before the task is over: then the browser pauses whatever has been taken off the page.
    if (native.tagName === "AUDIO" && !native.sinkId) setTimeout(() => recycle(native));
  }

  #applyMuted() {
    if (this.#muted !== null) this.#native.muted = this.#muted;
    else if (this.#native.tagName === "VIDEO") {
      // A picture without sound may start by itself, if it says so.
      const hasAudio = this.#attached.has("audio") || this.#native.srcObject?.getAudioTracks().length > 0;
      this.#native.muted = !hasAudio;
    }
  }

  #setAgain(stream) {
    this.#later = setTimeout(() => {
      if (this.#native.srcObject !== stream) return;
      this.#native.srcObject = stream;
      this.#start();
    });
  }

  #start() {
    if (!this.#native.srcObject) return Promise.resolve();
    const latest = (this.#latest = this.#native.play());
    latest.then(
      () => this.#session.emit(this, "playing"),
      (error) => this.#onFailed(error),
    );
    return latest;
  }

  #onFailed(error) {
    if (error.name === "AbortError") return; // another source was set meanwhile, or none
    if (error.name === "NotAllowedError" && this.#attached.size === 2) {
      this.#native.muted = true; // the picture, at least
      this.#native.play().catch(() => {});
    }
    this.#session.emit(this, "failed", error.name, error.message);
  }

  /** The outcome of `promise`; when it was aborted for a newer one, that one's. */
  async #follow(promise) {
    try {
      await promise;
    } catch (error) {
      if (error.name !== "AbortError" || this.#latest === promise) throw error;
      await this.#follow(this.#latest);
    }
  }

  #playAtGesture() {
    return new Promise((resolve, reject) => {
      const play = () => {
        this.#applyMuted();
        this.#follow(this.#start()).then(resolve, reject);
      };
      this.#gestures.arm(play, () => reject(new DOMException("the element is closed", "AbortError")));
    });
  }
}

function makeFigure(native, caption) {
  const figure = document.createElement("figure");
  figure.style.cssText = "margin:0;max-width:min(100%,32rem)";
  native.style.maxWidth = "100%";
  figure.append(native);
  if (caption) figure.appendChild(document.createElement("figcaption")).textContent = caption;
  return figure;
}

/** The words in a place are for when nothing else is there. */
function tellEmptiness(place) {
  const words = place.querySelector("[data-lk-empty]");
  if (words) words.hidden = place.querySelector("figure") !== null;
}

function recycle(native) {
  if (idle.length >= IDLE_AUDIO) return;
  native.pause();
  native.muted = false;
  native.volume = 1;
  idle.push(native);
}
