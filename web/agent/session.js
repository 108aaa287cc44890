// One Python in a worker, and the objects that it has on this page.
//
// The protocol (its other half: lk_pyodide/browser/bridge/protocol.py). A frame is an array, posted whole:
//
//   [to, text, ...extras]     to: the token of the Python, or the name of this agent; extras: bytes, transferred channels
//
// `text` is the JSON of one message; {"$": n} in it stands for the frame's n-th item.
//
//   to the page     [request, id, call, ...arguments]       request 0 wants no answer; every object knows `free`
//   from the page   [request, error, value]                 error: null, or [name, message]
//                   [0, id, event, ...arguments]
//
// Ids above 0 are given by Python to what it asks for, ids below 0 by the page to what is born here; 0 is the page
// itself (page.js). Messages are handled in the order in which they were posted; answers come when they are ready.

export const VERSION = 1;

export class Session {
  #carrier;
  #to;
  #objects = new Map();
  #nextId = -1;
  #isOver = false;

  /**
   * @param carrier posts frames: {post(frame, transfer), close(), canTransfer}
   * @param to      whom frames are for
   * @param page    what id 0 means
   */
  constructor(carrier, to, page) {
    this.#carrier = carrier;
    this.#to = to;
    this.#objects.set(0, page);
  }

  get canTransfer() {
    return this.#carrier.canTransfer;
  }

  /** How many objects Python has here. */
  get size() {
    return this.#objects.size - 1;
  }

  /** Keep an object under the id that Python gave it, or under a new one. It goes when its owner goes. */
  add(object, id = this.#nextId--, owner = null) {
    object.id = id;
    object.owner = owner;
    if (this.#isOver) {
      object.dispose?.(true); // such as a camera that the user has allowed since
      return object;
    }
    this.#objects.set(id, object);
    return object;
  }

  get(id) {
    const object = this.#objects.get(id);
    if (!object) throw new Error(`the page has no object ${id}`);
    return object;
  }

  /** Forget an object; it lets go of everything native first. */
  free(object) {
    if (this.#objects.get(object.id) !== object) return;
    this.#objects.delete(object.id);
    for (const part of [...this.#objects.values()]) if (part.owner === object) this.free(part);
    object.dispose?.();
  }

  /** Tell Python what happened to an object that it still knows. */
  emit(object, event, ...values) {
    if (this.#objects.get(object.id) === object) this.post([0, object.id, event, ...values]);
  }

  /** Post a message; its bytes travel beside the text, its channels are transferred. */
  post(message, transfer = []) {
    if (this.#isOver) return; // nobody hears it
    const extras = [];
    const text = JSON.stringify(message, (_key, value) => {
      if (!(value instanceof ArrayBuffer) && !transfer.includes(value)) return value;
      extras.push(value);
      return {$: extras.length + 1};
    });
    this.#carrier.post([this.#to, text, ...extras], transfer);
  }

  /** Do what a frame says. */
  async handle(frame) {
    const [request, id, call, ...values] = JSON.parse(frame[1], (_key, value) =>
      value !== null && typeof value === "object" && "$" in value ? frame[value.$] : value,
    );
    try {
      const object = this.get(id);
      if (call === "free") return this.free(object);
      if (!object.constructor.calls.includes(call)) throw new Error(`the page does not know ${call}`);
      const value = object[call](...values);
      if (request) this.post([request, null, (await value) ?? null]);
    } catch (error) {
      const problem = [error?.name ?? "Error", error?.message ?? String(error)];
      this.post(request ? [request, problem, null] : [0, 0, "refused", id, call, ...problem]);
    }
  }

  /** Python is gone, or the page is: say goodbye, close everything, let devices go. */
  end() {
    this.sayLastWords();
    this.#isOver = true;
    for (const object of [...this.#objects.values()].reverse()) object.dispose?.(true);
    this.#objects.clear();
    this.#carrier.close();
  }

  sayLastWords() {
    for (const object of this.#objects.values()) object.sayLastWords?.();
  }
}

/** Listeners of one object, removed together. */
export class Listeners {
  #controller = new AbortController();

  add(target, listen, ...types) {
    for (const type of types) target.addEventListener(type, listen, {signal: this.#controller.signal});
  }

  close() {
    this.#controller.abort();
  }
}
