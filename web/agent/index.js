// The page agent of lk_pyodide: it owns what only a page can have, for a Python that runs in a worker.
//
// In a page with PyScript it is loaded by <script type="module" src="./lk-agent.js"></script> and answers every worker
// that asks. In a notebook the kernel displays it with a line that calls lkAgent.serve(token) below it.
import {Page, describePage} from "./page.js";
import {Session, VERSION} from "./session.js";

const GREETING = "lk_pyodide"; // the BroadcastChannel on which a worker asks for an agent
const isFirefox = /firefox/i.test(navigator.userAgent);
const sessions = new Set();
const served = new Set();

const lockOf = (token) => `lk_pyodide ${token}`;

/** Begin with the first frame of a Python that has chosen us; end when it dies. */
function begin(carrier, token) {
  const page = new Page();
  const session = new Session(carrier, token, page);
  page.session = session;
  sessions.add(session);
  const end = () => {
    if (sessions.delete(session)) session.end();
  };
  // Python holds this lock as long as it lives.
  navigator.locks?.request(lockOf(token), end);
  return session;
}

/**
 * Say hello over a carrier, and serve the Python that takes it up.
 *
 * @param name whom its frames are for: there may be other agents on a BroadcastChannel
 */
function offer(carrier, token, name, receive) {
  let session = null;
  receive((frame) => {
    if (frame[0] !== name) return;
    session ??= begin(carrier, token);
    session.handle(frame);
  });
  carrier.post([token, JSON.stringify([0, 0, "hello", VERSION, name, describePage()])], []);
}

/** Give every worker of the page a port: only the one that asked knows the token. */
function answer(token) {
  for (const {xworker} of document.querySelectorAll("[worker]")) {
    if (!xworker) continue;
    const {port1, port2} = new MessageChannel();
    const carrier = {
      canTransfer: true,
      post: (frame, transfer) => port1.postMessage(frame, transfer),
      close: () => port1.close(),
    };
    offer(carrier, token, "page", (handle) => {
      port1.onmessage = ({data}) => handle(data);
    });
    xworker.postMessage(["lk_pyodide", token, port2], [port2]);
  }
}

/** Serve the kernel that has this token, if it is alive: a saved notebook brings the line back that calls this. */
export async function serve(token) {
  if (served.has(token)) return;
  served.add(token);
  if (await isDead(token)) return;
  const channel = new BroadcastChannel(`lk_pyodide ${token}`);
  const carrier = {
    canTransfer: false,
    post: (frame) => channel.postMessage(frame),
    close: () => channel.close(),
  };
  offer(carrier, token, crypto.randomUUID?.() ?? String(Math.random()), (handle) => {
    channel.onmessage = ({data}) => handle(data);
  });
}

/** Whether nobody holds the lock of this token. */
async function isDead(token) {
  if (!navigator.locks) return false;
  return navigator.locks.request(lockOf(token), {ifAvailable: true}, (lock) => lock !== null);
}

if (!globalThis.lkAgent) {
  globalThis.lkAgent = {serve, version: VERSION};
  new BroadcastChannel(GREETING).onmessage = ({data}) => answer(data);
  addEventListener("pagehide", () => {
    for (const session of sessions) session.sayLastWords();
  });
  // Firefox closes WebSockets before pagehide: always when navigating, now and then when a tab is closed. Somebody who
  // has asked the user to stay is given the chance.
  if (isFirefox) {
    addEventListener("beforeunload", (event) => {
      if (event.defaultPrevented) return;
      for (const session of sessions) session.sayLastWords();
    });
  }
}
