// Keeps the books of a page: event listeners, intervals, connections, sockets, tracks, PyProxies and elements, so
// that a test run which leaves one of them behind can be told so. Loaded before anything else in the page.
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
    const target = this ?? window;
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
    const target = this ?? window;
    const record = callback && find(target, type, callback, captures(options));
    if (record) forget(target, record);
  };

  const setNative = window.setInterval;
  const clearNative = window.clearInterval;
  window.setInterval = (...args) => {
    const id = setNative(...args);
    intervals.set(id, `every ${args[1] ?? 0} ms`);
    return id;
  };
  window.clearInterval = (id) => {
    intervals.delete(id);
    clearNative(id);
  };

  // Objects that hold something outside the page until they are closed: (class, is it still open?)
  const openness = [
    ["RTCPeerConnection", (it) => it.signalingState !== "closed"],
    ["WebSocket", (it) => it.readyState !== WebSocket.CLOSED],
    ["AudioContext", (it) => it.state !== "closed"],
    ["Worker", () => true],
  ];
  for (const [name, open] of openness) {
    const Native = window[name];
    if (!Native) continue;
    window[name] = new Proxy(Native, {
      construct(target, args, newTarget) {
        const made = Reflect.construct(target, args, newTarget);
        natives.add({name, object: new WeakRef(made), open});
        return made;
      },
    });
  }
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
  if (window.Worker) {
    const terminate = Worker.prototype.terminate;
    Worker.prototype.terminate = function () {
      for (const entry of natives) if (entry.object.deref() === this) natives.delete(entry);
      return terminate.call(this);
    };
  }

  add.call(window, "unhandledrejection", (event) => faults.push(`Unhandled rejection: ${event.reason?.stack ?? event.reason}`));
  add.call(window, "error", (event) => faults.push(`Uncaught error: ${event.error?.stack ?? event.message}`));

  // A listener on an object that nobody reaches any more goes with it; these objects never go.
  function stays(target) {
    const lasting = [window, document, navigator.mediaDevices, navigator.connection, navigator.permissions, screen.orientation];
    return lasting.includes(target) || (target instanceof Node && target.isConnected);
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
      elements: new Set(document.querySelectorAll("*")),
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

  function leftSince(before) {
    const now = snapshot();
    const fresh = (key) => [...now[key]].filter((item) => !before[key].has(item));
    return [
      ...fresh("proxies").map(describeProxy),
      ...fresh("listeners").map(describeListener),
      ...fresh("intervals").map((id) => `interval ${intervals.get(id)}`),
      ...fresh("natives").map((entry) => `open ${entry.name}`),
      ...fresh("elements").map((element) => `element <${element.localName} id="${element.id}"> in the document`),
    ];
  }

  function attach(instance) {
    pyodide = instance;
    pyodide._module.enable_pyproxy_allocation_tracing();
  }

  globalThis.lkGate = {attach, snapshot, leftSince, faults, note: (proxy, text) => notes.set(proxy, text)};
})();
