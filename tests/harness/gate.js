// Keeps the books of a page or of a worker: event listeners, intervals, connections, sockets, channels, tracks, PyProxies
// and elements, so that a test run which leaves one of them behind can be told so. Loaded before what it is to see.
(() => {
  const add = EventTarget.prototype.addEventListener;
  const remove = EventTarget.prototype.removeEventListener;
  const listenersOf = new WeakMap(); // target -> records; the books must not keep a target alive
  const listeners = new Set();
  const intervals = new Map();
  const natives = new Set();
  const notes = new WeakMap(); // PyProxy -> where Python made it
  const faults = [];
  let pyodide = null;

  const isPython = (value) =>
    pyodide !== null && (value instanceof pyodide.ffi.PyProxy || value?.handleEvent instanceof pyodide.ffi.PyProxy);
  const captures = (options) => (typeof options === "object" ? Boolean(options?.capture) : Boolean(options));

  function forget(target, record) {
    listeners.delete(record);
    const records = listenersOf.get(target);
    const index = records?.indexOf(record) ?? -1;
    if (index >= 0) records.splice(index, 1);
  }

  function find(target, type, callback, capture) {
    return listenersOf
      .get(target)
      ?.find((known) => known.type === type && known.capture === capture && known.callback.deref() === callback);
  }

  EventTarget.prototype.addEventListener = function addEventListener(type, callback, options) {
    add.call(this, type, callback, options);
    const target = this ?? globalThis;
    const capture = captures(options);
    if (!callback || options?.signal?.aborted || find(target, type, callback, capture)) return;
    const record = {target: new WeakRef(target), type, callback: new WeakRef(callback), capture};
    if (!listenersOf.has(target)) listenersOf.set(target, []);
    listenersOf.get(target).push(record);
    listeners.add(record);
    // The browser removes these by itself; so must the books.
    if (options?.once) add.call(target, type, () => forget(target, record), {once: true, capture});
    if (options?.signal) add.call(options.signal, "abort", () => forget(target, record), {once: true});
  };

  EventTarget.prototype.removeEventListener = function removeEventListener(type, callback, options) {
    remove.call(this, type, callback, options);
    const target = this ?? globalThis;
    const record = callback && find(target, type, callback, captures(options));
    if (record) forget(target, record);
  };

  const setNative = globalThis.setInterval;
  const clearNative = globalThis.clearInterval;
  globalThis.setInterval = (...args) => {
    const id = setNative(...args);
    intervals.set(id, `every ${args[1] ?? 0} ms`);
    return id;
  };
  globalThis.clearInterval = (id) => {
    intervals.delete(id);
    clearNative(id);
  };

  // Objects that hold something outside the page until they are closed: (class, is it still open?)
  const openness = [
    ["RTCPeerConnection", (it) => it.signalingState !== "closed"],
    ["WebSocket", (it) => it.readyState !== WebSocket.CLOSED],
    ["AudioContext", (it) => it.state !== "closed"],
    ["Worker", () => true],
    ["BroadcastChannel", () => true],
  ];
  for (const [name, open] of openness) {
    const Native = globalThis[name];
    if (!Native) continue;
    globalThis[name] = new Proxy(Native, {
      construct(target, args, newTarget) {
        const made = Reflect.construct(target, args, newTarget);
        natives.add({name, object: new WeakRef(made), open});
        return made;
      },
    });
  }
  // These do not tell whether they are open: who ends one is seen doing it.
  const endings = [
    ["Worker", "terminate"],
    ["BroadcastChannel", "close"],
    ["MessagePort", "close"],
  ];
  for (const [name, method] of endings) {
    const prototype = globalThis[name]?.prototype;
    if (!prototype) continue; // a worker may not have workers of its own
    const original = prototype[method];
    prototype[method] = function () {
      for (const entry of natives) if (entry.object.deref() === this) natives.delete(entry);
      return original.call(this);
    };
  }
  // Ports are born in pairs and travel; the one that listens is in use.
  const {start: startNative} = MessagePort.prototype;
  const onmessage = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
  function listens(port) {
    if ([...natives].some((entry) => entry.object.deref() === port)) return;
    natives.add({name: "MessagePort", object: new WeakRef(port), open: () => true});
  }
  MessagePort.prototype.start = function start() {
    listens(this);
    startNative.call(this);
  };
  Object.defineProperty(MessagePort.prototype, "onmessage", {
    ...onmessage,
    set(listener) {
      if (listener) listens(this);
      onmessage.set.call(this, listener);
    },
  });
  for (const method of ["getUserMedia", "getDisplayMedia"]) {
    const original = navigator.mediaDevices?.[method];
    if (!original) continue;
    MediaDevices.prototype[method] = async function (...args) {
      const stream = await original.apply(this, args);
      for (const track of stream.getTracks()) {
        const name = `capturing ${track.kind} track`;
        natives.add({name, object: new WeakRef(track), open: (it) => it.readyState === "live"});
      }
      return stream;
    };
  }
  // Chromium's stack begins with the error itself, Firefox's does not.
  const inFull = (error) => (error?.stack && !error.stack.startsWith(`${error}`) ? `${error}\n${error.stack}` : `${error?.stack ?? error}`);
  add.call(globalThis, "unhandledrejection", (event) => faults.push(`Unhandled rejection: ${inFull(event.reason)}`));
  add.call(globalThis, "error", (event) => faults.push(`Uncaught error: ${event.error ? inFull(event.error) : event.message}`));

  // A listener on an object that nobody reaches any more goes with it; these objects never go.
  function stays(target) {
    const {document, screen} = globalThis; // a worker has neither, nor devices
    const {mediaDevices, connection, permissions} = navigator;
    if ([globalThis, document, mediaDevices, connection, permissions, screen?.orientation].includes(target)) return true;
    return Boolean(document) && target instanceof Node && target.isConnected;
  }

  const openNatives = () =>
    [...natives].filter((entry) => {
      const object = entry.object.deref();
      if (object && entry.open(object)) return true;
      natives.delete(entry);
      return false;
    });

  const alive = (proxy) => {
    // A destroyed copy leaves its original in Pyodide's map with no object behind it.
    return Boolean(pyodide._module.PyProxy_getAttrsQuiet(proxy)?.shared.ptr);
  };
  const liveProxies = () => (pyodide ? [...pyodide._module.pyproxy_alloc_map.keys()].filter(alive) : []);
  const liveListeners = () =>
    [...listeners].filter((record) => {
      const target = record.target.deref();
      if (target && record.callback.deref()) return isPython(record.callback.deref()) || stays(target);
      listeners.delete(record);
      return false;
    });

  function snapshot() {
    return {
      proxies: new Set(liveProxies()),
      listeners: new Set(liveListeners()),
      intervals: new Set(intervals.keys()),
      natives: new Set(openNatives()),
      elements: new Set(globalThis.document?.querySelectorAll("*")),
    };
  }

  function describeProxy(proxy) {
    let text;
    try {
      text = `${proxy.type} ${proxy.toString()}`;
    } catch (error) {
      text = `(no text: ${error})`;
    }
    return `PyProxy of ${text}${notes.has(proxy) ? `, ${notes.get(proxy)}` : ""}`;
  }

  function describeListener(record) {
    const target = record.target.deref();
    const callback = record.callback.deref();
    const made = notes.get(callback) ?? notes.get(callback?.handleEvent);
    const kind = isPython(callback) ? "Python listener" : "JavaScript listener";
    return `${kind} for "${record.type}" on ${target?.constructor?.name ?? "?"}${made ? `, ${made}` : ""}`;
  }

  const describe = {
    proxies: describeProxy,
    listeners: describeListener,
    intervals: (id) => `interval ${intervals.get(id)}`,
    natives: (entry) => `open ${entry.name}`,
    elements: (element) => `element <${element.localName} id="${element.id}"> in the document`,
  };

  function leftSince(before, kinds = Object.keys(before)) {
    const now = snapshot();
    const fresh = (kind) => [...now[kind]].filter((item) => !before[kind].has(item));
    return kinds.flatMap((kind) => fresh(kind).map(describe[kind]));
  }

  function attach(instance) {
    pyodide = instance;
    pyodide._module.enable_pyproxy_allocation_tracing();
  }

  globalThis.lkGate = {attach, snapshot, leftSince, faults, note: (proxy, text) => notes.set(proxy, text)};
})();
