import {Element} from "./elements.js";
import {Gestures} from "./gesture.js";
import * as media from "./media.js";
import {Connection} from "./peer.js";
import {Listeners} from "./session.js";
import {Socket} from "./socket.js";

const NOT_CODECS = ["rtx", "red", "ulpfec", "flexfec-03", "flexfec"];

function videoCodecs() {
  const codecs = globalThis.RTCRtpSender?.getCapabilities?.("video")?.codecs ?? [];
  const names = codecs.map(({mimeType}) => mimeType);
  return [...new Set(names)].filter((name) => !NOT_CODECS.includes(name.split("/")[1].toLowerCase()));
}

/** What a Python has to know of the page before it begins. */
export function describePage() {
  return {
    user_agent: navigator.userAgent,
    max_touch_points: navigator.maxTouchPoints ?? 0,
    is_secure_context: globalThis.isSecureContext ?? true,
    video_codecs: videoCodecs(),
    page_url: `${location.origin}${location.pathname}`, // what follows is the application's business
  };
}

/** The page, as one Python sees it: object 0 of its session. */
export class Page {
  static calls = [
    "openSocket", "openConnection", "openElement", "watch", "getUserMedia", "getDisplayMedia", "callOffDisplayMedia",
    "enumerateDevices", "queryPermission", "countObjects",
  ]; // prettier-ignore
  id = 0;
  session = null;
  #gestures = new Gestures("Click anywhere on the page to choose what to share.");

  openSocket(id, url) {
    this.#add(id, () => new Socket(this.session, url));
  }

  openConnection(id, config) {
    this.#add(id, () => new Connection(this.session, config));
  }

  openElement(id, kind, target) {
    this.#add(id, () => new Element(this.session, kind, target));
  }

  watch(id) {
    this.#add(id, () => new Watch(this.session));
  }

  getUserMedia(constraints) {
    return media.getUserMedia(this.session, constraints);
  }

  getDisplayMedia(constraints) {
    return media.getDisplayMedia(this.session, constraints, (act, callOff) => this.#gestures.arm(act, callOff));
  }

  /** Nobody waits for a screen any more. */
  callOffDisplayMedia() {
    this.#gestures.callOff();
  }

  enumerateDevices() {
    return media.enumerateDevices();
  }

  queryPermission(name) {
    return media.queryPermission(name);
  }

  /** For tests: what Python has here. */
  countObjects() {
    return this.session.size;
  }

  dispose() {
    this.#gestures.callOff();
  }

  #add(id, make) {
    try {
      this.session.add(make(), id);
    } catch (error) {
      // Python has its handle already, and waits to hear of it.
      this.session.post([0, id, "broken", error.name, error.message]);
    }
  }
}

/** Tells Python what happens to the page. */
class Watch {
  static calls = [];
  #listeners = new Listeners();

  constructor(session) {
    this.#listeners.add(globalThis, ({type}) => session.emit(this, "network", type === "online"), "online", "offline");
    this.#listeners.add(globalThis, () => session.emit(this, "hide"), "pagehide");
    if (navigator.mediaDevices) {
      this.#listeners.add(navigator.mediaDevices, () => session.emit(this, "devices"), "devicechange");
    }
  }

  dispose() {
    this.#listeners.close();
  }
}
