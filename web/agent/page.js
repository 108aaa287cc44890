import * as audio from "./audio.js";
import {Element} from "./elements.js";
import {Gestures} from "./gesture.js";
import * as media from "./media.js";
import {Connection} from "./peer.js";
import {Listeners} from "./session.js";
import * as sources from "./sources.js";
import {Socket} from "./socket.js";
import {Views} from "./views.js";

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
    "enumerateDevices", "queryPermission", "makeSilence", "makeDarkness", "captureElement", "playFile",
    "openRecorder", "openViews", "openAnalyser", "openOutput", "resumeAudio", "setAudioSink", "countObjects",
  ]; // prettier-ignore
  id = 0;
  session = null;
  #gestures = new Gestures("Click anywhere on the page to choose what to share.");
  #sound = new Gestures("Click anywhere on the page to start the sound.");

  openSocket(id, url) {
    this.#add(id, () => new Socket(this.session, url));
  }

  openConnection(id, config) {
    this.#add(id, () => new Connection(this.session, config));
  }

  openElement(id, kind, target) {
    this.#add(id, () => new Element(this.session, kind, target));
  }

  openViews(id) {
    this.#add(id, () => new Views(this.session));
  }

  openAnalyser(id, track, init, period) {
    this.#add(id, () => new audio.Analyser(this.session, track, init, period));
  }

  openOutput(id, track, gain, patience) {
    this.#add(id, () => new audio.Output(this.session, track, gain, patience));
  }

  resumeAudio(patience) {
    return audio.resume(patience, (act, callOff) => this.#sound.arm(act, callOff));
  }

  setAudioSink(device) {
    return audio.setSinkId(device);
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

  makeSilence() {
    return sources.makeSilence(this.session);
  }

  makeDarkness(width, height) {
    return sources.makeDarkness(this.session, width, height);
  }

  captureElement(selector, frameRate) {
    return sources.captureElement(this.session, selector, frameRate);
  }

  playFile(source, mimeType, loop) {
    return sources.playFile(this.session, source, mimeType, loop);
  }

  openRecorder(id, track, mimeTypes, timeslice) {
    this.#add(id, () => new sources.Recorder(this.session, track, mimeTypes, timeslice));
  }

  /** For tests: what Python has here. */
  countObjects() {
    return this.session.size;
  }

  dispose() {
    this.#gestures.callOff();
    this.#sound.callOff();
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
