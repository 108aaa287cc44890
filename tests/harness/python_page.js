// Boots Pyodide on this page once, then runs async functions of tests.inpage in it and checks what each leaves.
import {loadPython} from "./load_python.js";
import {keepRuns} from "./runs.js";

const gate = globalThis.lkGate;
let pyodide = null;
let runner = null;
let before = null;

export async function boot(archives) {
  pyodide = await loadPython(archives);
  const {start, stop, signal, mark, leftovers, stacks, install} = pyodide.pyimport("tests.inpage.runner");
  runner = {start, stop, signal, mark, leftovers, stacks};
  gate.attach(pyodide);
  install((proxy, text) => gate.note(proxy, text), (text) => gate.faults.push(text));
}

const backend = {
  mark() {
    gate.faults.length = 0;
    runner.mark();
    before = gate.snapshot();
  },
  leftovers: (collect) => [...JSON.parse(runner.leftovers(collect)), ...gate.leftSince(before)],
  faults: () => gate.faults.splice(0),
  start: (...run) => runner.start(...run),
  signal: (...letter) => runner.signal(...letter),
  stop: (id) => runner.stop(id),
  stacks: () => runner.stacks(),
};

export const {begin, finish, reached, signal, stop, stacks} = keepRuns(backend);
