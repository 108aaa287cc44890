// Boots Pyodide with our sources once, then runs async functions of tests.inpage in it and checks what each leaves.
import {loadPyodide} from "/pyodide/pyodide.mjs";

const gate = globalThis.lkGate;
const SOURCE = "/lk-source";
// What asyncio itself complains of arrives through the loop's exception handler (tests/inpage/runner.py).
const SUSPICIOUS = /was never awaited|Exception ignored in|fatal error/;
const runs = new Map();
let pyodide = null;
let runner = null;
let before = null;

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function onStderr(line) {
  console.warn(line);
  if (SUSPICIOUS.test(line)) gate.faults.push(line);
}

export async function boot(archives) {
  const started = performance.now();
  const fetched = archives.map(async ([path, format]) => {
    const reply = await fetch(path);
    if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
    return [await reply.arrayBuffer(), format];
  });
  pyodide = await loadPyodide({indexURL: "/pyodide/", stdout: (line) => console.log(line), stderr: onStderr});
  const loaded = performance.now();
  for (const [buffer, format] of await Promise.all(fetched)) {
    pyodide.unpackArchive(buffer, format, format === "zip" ? {extractDir: SOURCE} : undefined);
  }
  pyodide.runPython(`import sys; sys.path.insert(0, "${SOURCE}")`);
  const {start, stop, signal, mark, leftovers, stacks, install} = pyodide.pyimport("tests.inpage.runner");
  runner = {start, stop, signal, mark, leftovers, stacks};
  gate.attach(pyodide);
  install((proxy, text) => gate.note(proxy, text), (text) => gate.faults.push(text));
  return {pyodide: loaded - started, total: performance.now() - started};
}

async function settle() {
  // Closing handshakes and finished tasks need a few turns of the event loop; a leak is what outlasts them.
  let left = [];
  for (let turn = 0; turn < 60; turn++) {
    const collect = turn === 0 || turn === 10 || turn === 59;
    left = [...JSON.parse(runner.leftovers(collect)), ...gate.leftSince(before)];
    if (left.length === 0) return [];
    await later(turn < 20 ? 0 : 25);
  }
  return left;
}

const going = () => [...runs.values()].filter((entry) => !entry.over).length;

export function begin(id, module, name, kwargs) {
  if (going() === 0) {
    runs.clear(); // until now the test may ask how far an ended run got
    gate.faults.length = 0;
    runner.mark();
    before = gate.snapshot();
  }
  const entry = {steps: new Map(), ended: false, over: false};
  runs.set(id, entry);
  entry.outcome = new Promise((resolve) => runner.start(id, module, name, kwargs, resolve, reach));
}

export async function finish(id) {
  const entry = runs.get(id);
  const outcome = await entry.outcome;
  entry.ended = true;
  for (const step of entry.steps.values()) step.reject(new Error("the run ended before it got there"));
  const last = going() === 1;
  const leaks = last ? await settle() : [];
  entry.over = true;
  return {outcome, leaks, faults: last ? gate.faults.splice(0) : []};
}

function stepOf(id, name) {
  const entry = runs.get(id);
  if (!entry) throw new Error("there is no such run");
  if (!entry.steps.has(name)) {
    const step = Promise.withResolvers();
    step.promise.catch(() => {});
    entry.steps.set(name, step);
    if (entry.ended) step.reject(new Error("the run ended before it got there"));
  }
  return entry.steps.get(name);
}

const reach = (id, name, value) => stepOf(id, name).resolve(value);
export const reached = (id, name) => stepOf(id, name).promise;
export const signal = (id, name, value) => runner.signal(id, name, value);
export const stop = (id) => runner.stop(id);
export const stacks = () => runner.stacks();
export const booted = () => runner !== null;
export const python = () => pyodide;
