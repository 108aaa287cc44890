// A WebSocket for livekit-client that reaches local:// rooms: what lk_pyodide/local/socket.py does, in JavaScript.
// `ws://local.invalid` stands for `local://`, because livekit-client only takes addresses of the web.
(() => {
  const Native = globalThis.WebSocket;
  const ADDRESS = "";
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();

  function encode(frame, payload = new Uint8Array()) {
    const head = encoder.encode(`${JSON.stringify(frame)}\n`);
    const data = new Uint8Array(head.length + payload.length);
    data.set(head);
    data.set(payload, head.length);
    return data;
  }

  function decode(data) {
    const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
    const end = bytes.indexOf(10);
    const [sender, to, kind] = JSON.parse(decoder.decode(bytes.subarray(0, end)));
    return {sender, to, kind, payload: bytes.slice(end + 1)};
  }

  class LocalWebSocket extends EventTarget {
    binaryType = "arraybuffer";
    protocol = "";
    extensions = "";
    bufferedAmount = 0;
    readyState = Native.CONNECTING;
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;
    #key = crypto.randomUUID();
    #host = "";
    #channel = new BroadcastChannel(`lk_pyodide local ${ADDRESS}`);
    #release = null;

    constructor(url) {
      super();
      this.url = url;
      for (const kind of ["open", "message", "close", "error"]) {
        this.addEventListener(kind, (event) => this[`on${kind}`]?.(event));
      }
      this.#channel.onmessage = ({data}) => this.#receive(decode(data));
      navigator.locks.request(`lk_pyodide local member ${this.#key}`, () => {
        this.#post("*", "open", encoder.encode(url));
        return new Promise((resolve) => (this.#release = resolve));
      });
    }

    send(data) {
      this.#post(this.#host, "data", new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength));
    }

    close(code = 1000, reason = "") {
      if (this.readyState >= Native.CLOSING) return;
      this.readyState = Native.CLOSING;
      if (this.#host) this.#post(this.#host, "close", encoder.encode(`${code} ${reason}`));
      this.#end(code, reason);
    }

    #post(to, kind, payload) {
      this.#channel.postMessage(encode([this.#key, to, kind], payload));
    }

    #receive({sender, to, kind, payload}) {
      if (kind === "host" && !this.#host) this.#post("*", "open", encoder.encode(this.url));
      if (to !== this.#key) return;
      if (kind === "opened") {
        this.#host = sender;
        this.readyState = Native.OPEN;
        navigator.locks.request(`lk_pyodide local member ${sender}`, () => this.#end(1006, "the host has gone"));
        this.dispatchEvent(new Event("open"));
      } else if (kind === "refused") {
        this.#end(1006, decoder.decode(payload));
      } else if (kind === "data") {
        this.dispatchEvent(new MessageEvent("message", {data: payload.buffer}));
      } else if (kind === "close") {
        this.#end(1000, "");
      }
    }

    #end(code, reason) {
      if (this.readyState === Native.CLOSED) return;
      this.readyState = Native.CLOSED;
      this.#channel.close();
      this.#release?.();
      setTimeout(() => this.dispatchEvent(new CloseEvent("close", {code, reason, wasClean: code === 1000})));
    }
  }

  globalThis.WebSocket = new Proxy(Native, {
    construct: (target, args) =>
      String(args[0]).startsWith("ws://local.invalid") ? new LocalWebSocket(args[0]) : new target(...args),
  });
  delete globalThis.WebSocketStream;
})();
