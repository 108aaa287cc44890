import {Listeners} from "./session.js";

/** A WebSocket that outlives its Python by one frame. */
export class Socket {
  static calls = ["send", "setLastWords", "setKeepAlive", "close"];
  #session;
  #native;
  #early = [];
  #lastWords = null;
  #keepAlive = null; // {data, interval, timer}
  #listeners = new Listeners();

  constructor(session, url) {
    this.#session = session;
    this.#native = new WebSocket(url);
    this.#native.binaryType = "arraybuffer";
    this.#listeners.add(this.#native, () => this.#onOpen(), "open");
    this.#listeners.add(this.#native, ({data}) => session.emit(this, "message", data), "message");
    this.#listeners.add(this.#native, ({code, reason}) => session.emit(this, "close", code, reason), "close");
  }

  send(data) {
    if (this.#early) {
      this.#early.push(data);
      return;
    }
    this.#native.send(data);
    this.#tick();
  }

  setLastWords(data) {
    this.#lastWords = data;
  }

  /** Send `data` whenever nothing else has been sent for `interval` seconds: Python may be busy. Null ends it. */
  setKeepAlive(data, interval) {
    clearTimeout(this.#keepAlive?.timer);
    this.#keepAlive = data === null ? null : {data, interval};
    this.#tick();
  }

  close(code, reason) {
    this.#native.close(code, reason);
    this.#session.free(this);
  }

  sayLastWords() {
    if (this.#lastWords === null) return;
    if (this.#native.readyState === WebSocket.OPEN) this.#native.send(this.#lastWords);
    this.#native.close(1000);
  }

  dispose() {
    this.setKeepAlive(null);
    this.#lastWords = null;
    this.#listeners.close();
    this.#native.close();
  }

  #tick() {
    const alive = this.#keepAlive;
    if (!alive || this.#early) return;
    clearTimeout(alive.timer);
    alive.timer = setTimeout(() => this.send(alive.data), alive.interval * 1000);
  }

  #onOpen() {
    const early = this.#early;
    this.#early = null;
    for (const data of early) this.#native.send(data);
    this.#session.emit(this, "open");
    this.#tick();
  }
}
