import {Listeners} from "./session.js";

/** Tells how elements are to be seen: once each, and again whenever it changes; all that change in a frame together. */
export class Views {
  static calls = ["add", "remove"];
  #session;
  #watched = new Map(); // the element's object -> {native, listeners, intersects, told}
  #screen = "";
  #listeners = new Listeners();
  #intersections = new IntersectionObserver((entries) => this.#onIntersections(entries));
  #resizes = new ResizeObserver(() => this.#tell());
  #later = null;

  constructor(session) {
    this.#session = session;
    this.#listeners.add(document, () => this.#tell(), "visibilitychange");
    this.#lookSoon();
  }

  add(id) {
    if (this.#watched.has(id)) return;
    const {native} = this.#session.get(id);
    const listeners = new Listeners();
    listeners.add(native, () => this.#tell(), "enterpictureinpicture", "leavepictureinpicture");
    // What is observed already is not told again; null: the browser has not said yet.
    const intersects = [...this.#watched.values()].find((other) => other.native === native)?.intersects ?? null;
    this.#watched.set(id, {native, listeners, intersects, told: ""});
    this.#intersections.observe(native);
    this.#resizes.observe(native);
    this.#lookSoon();
  }

  remove(id) {
    const watched = this.#watched.get(id);
    if (!watched) return;
    this.#watched.delete(id);
    watched.listeners.close();
    if ([...this.#watched.values()].some(({native}) => native === watched.native)) return;
    this.#intersections.unobserve(watched.native);
    this.#resizes.unobserve(watched.native);
  }

  dispose() {
    clearTimeout(this.#later);
    for (const id of [...this.#watched.keys()]) this.remove(id);
    this.#listeners.close();
    this.#intersections.disconnect();
    this.#resizes.disconnect();
  }

  #lookSoon() {
    this.#later ??= setTimeout(() => {
      this.#later = null;
      if (document.visibilityState === "hidden") {
        // Nothing is drawn in the background, so no observer tells.
        for (const watched of this.#watched.values()) watched.intersects ??= watched.native.getClientRects().length > 0;
      }
      this.#tell();
    });
  }

  #onIntersections(entries) {
    for (const {target, isIntersecting} of entries) {
      for (const watched of this.#watched.values()) if (watched.native === target) watched.intersects = isIntersecting;
    }
    this.#tell();
  }

  /** Say what is new. */
  #tell() {
    const screen = [document.visibilityState === "hidden", devicePixelRatio];
    if (this.#screen !== String(screen)) {
      this.#screen = String(screen);
      this.#session.emit(this, "screen", ...screen);
    }
    const news = [];
    for (const [id, watched] of this.#watched) {
      const {native, intersects} = watched;
      if (intersects === null) continue;
      const inPicture = document.pictureInPictureElement === native;
      const view = [native.clientWidth, native.clientHeight, intersects || inPicture, inPicture];
      if (watched.told === String(view)) continue;
      watched.told = String(view);
      news.push([id, ...view]);
    }
    if (news.length) this.#session.emit(this, "views", news);
  }
}
