// The same functions as python_page.js, for Python in a worker that serves tests/inpage/remote.py.
// A message is JSON on a BroadcastChannel. To the worker: {method, args}, and {call} if it is to be answered.
// From it: {ready}, {answer: call, value | error}, {done: run, outcome}, {reach: run, name, value}, {fault}.
import {keepRuns} from "./runs.js";

const BOOT_SECONDS = 50; // less than pytest's limit for a test, so that the report can say what is missing
const ANSWER_SECONDS = 20; // Python may be busy
const STACKS_SECONDS = 5; // the test has waited long enough already

// `kinds` are the kinds of leftovers on this page that count: keys of the gate's snapshot.
export function connect(token, kinds = Object.keys(globalThis.lkGate.snapshot())) {
  const gate = globalThis.lkGate;
  const channel = new BroadcastChannel(`lk-harness-${token}`);
  const ready = Promise.withResolvers();
  const calls = new Map();
  const started = new Map();
  let lastCall = 0;
  let before = null;

  const send = (message) => channel.postMessage(JSON.stringify(message));
  const tell = (method, ...args) => send({method, args});

  function limit(promise, seconds, text) {
    const timer = Promise.withResolvers();
    const id = setTimeout(() => timer.reject(new Error(text)), seconds * 1000);
    return Promise.race([promise, timer.promise]).finally(() => clearTimeout(id));
  }

  function ask(seconds, method, ...args) {
    const call = ++lastCall;
    const answer = Promise.withResolvers();
    calls.set(call, answer);
    send({call, method, args});
    const text = `Python in the worker has not answered ${method}() in ${seconds} s`;
    return limit(answer.promise, seconds, text).finally(() => calls.delete(call));
  }

  function receive(message) {
    if (message.ready) ready.resolve();
    else if (message.answer && "error" in message) calls.get(message.answer)?.reject(new Error(message.error));
    else if (message.answer) calls.get(message.answer)?.resolve(message.value);
    else if (message.done) started.get(message.done)?.done(message.outcome);
    else if (message.reach) started.get(message.reach)?.reach(message.reach, message.name, message.value);
    else if (message.fault) gate.faults.push(message.fault);
  }
  channel.addEventListener("message", (event) => receive(JSON.parse(event.data)));

  const onPage = (text) => `on the page: ${text}`;
  const backend = {
    mark() {
      started.clear();
      gate.faults.length = 0;
      tell("mark");
      before = gate.snapshot();
    },
    async leftovers(collect) {
      const inWorker = await ask(ANSWER_SECONDS, "leftovers", collect);
      return [...inWorker, ...gate.leftSince(before, kinds).map(onPage)];
    },
    async faults() {
      return [...(await ask(ANSWER_SECONDS, "faults")), ...gate.faults.splice(0).map(onPage)];
    },
    start(id, module, name, kwargs, done, reach) {
      started.set(id, {done, reach});
      tell("start", id, module, name, kwargs);
    },
    signal: (id, name, value) => tell("signal", id, name, value),
    stop: (id) => tell("stop", id),
    stacks: () => ask(STACKS_SECONDS, "stacks").catch(String),
  };

  async function boot() {
    tell("hello"); // or it says by itself that it is ready, later
    await limit(ready.promise, BOOT_SECONDS, `Python in the worker is not there after ${BOOT_SECONDS} s`);
  }

  return {...keepRuns(backend), boot};
}
