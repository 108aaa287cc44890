import {Listeners} from "./session.js";

/** A data channel that stays on the page: Python sends through it on credit. */
export class Channel {
  static calls = ["send", "setThreshold"];
  #session;
  #native;
  #sent = 0;
  #listeners = new Listeners();

  constructor(session, native) {
    this.#session = session;
    this.#native = native;
    native.binaryType = "arraybuffer";
    this.#listeners.add(native, () => session.emit(this, "open", native.id), "open");
    this.#listeners.add(native, ({data}) => session.emit(this, "message", data), "message");
    this.#listeners.add(native, () => this.#acknowledge(), "bufferedamountlow");
    this.#listeners.add(native, () => session.emit(this, "close"), "close");
  }

  send(data) {
    if (this.#native.readyState !== "open") return; // Python hears of its closing
    this.#native.send(data);
    this.#sent += data.byteLength;
    if (this.#native.bufferedAmount <= this.#native.bufferedAmountLowThreshold) this.#acknowledge();
  }

  setThreshold(size) {
    this.#native.bufferedAmountLowThreshold = size;
  }

  dispose() {
    this.#listeners.close();
    this.#native.close();
  }

  /** Tell how many bytes have left so far. */
  #acknowledge() {
    this.#session.emit(this, "left", this.#sent - this.#native.bufferedAmount);
  }
}

/** A data channel that has been transferred to Python's worker: all that is left here is its name. */
export class TransferredChannel {
  static calls = [];
}

/**
 * Give Python a channel: itself where the carrier can transfer it, else an object that stands for it.
 *
 * Only in the task that made the channel can it be transferred.
 *
 * @param owner its connection
 * @param id    what Python has called it; for a channel of the other side there is none yet
 */
export function give(session, native, owner, id) {
  if (!session.canTransfer) return [session.add(new Channel(session, native), id, owner), null];
  return [session.add(new TransferredChannel(), id, owner), native];
}
