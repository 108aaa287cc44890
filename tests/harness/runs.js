// The runs of test bodies in one page: which are under way, how far each has got, and what the last one left behind.
// Python itself is behind a backend, on this page or in a worker of it:
//   mark()                    remember what is there, and forget faults
//   leftovers(collect)        what was not there at mark(), in words
//   faults()                  what went wrong unseen since mark(), in words
//   start(id, module, name, kwargs, done, reach), signal(id, name, value), stop(id), stacks()
// The first three may give promises; mark(), start(), signal() and stop() take effect in the order of the calls.
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function keepRuns(backend) {
  const runs = new Map();
  const going = () => [...runs.values()].filter((entry) => !entry.over).length;

  async function settle() {
    // Closing handshakes and finished tasks need a few turns of the event loop; a leak is what outlasts them.
    let left = [];
    for (let turn = 0; turn < 60; turn++) {
      const collect = turn === 0 || turn === 10 || turn === 59;
      left = await backend.leftovers(collect);
      if (left.length === 0) return [];
      await later(turn < 20 ? 0 : 25);
    }
    return left;
  }

  function begin(id, module, name, kwargs) {
    if (going() === 0) {
      runs.clear(); // until now the test may ask how far an ended run got
      backend.mark();
    }
    const entry = {steps: new Map(), ended: false, over: false};
    runs.set(id, entry);
    entry.outcome = new Promise((resolve) => backend.start(id, module, name, kwargs, resolve, reach));
  }

  // What a run leaves behind is for ever when it prepares the page for others: then it is not looked for.
  async function finish(id, prepares = false) {
    const entry = runs.get(id);
    const outcome = await entry.outcome;
    entry.ended = true;
    for (const step of entry.steps.values()) step.reject(new Error("the run ended before it got there"));
    const last = going() === 1 && !prepares;
    const leaks = last ? await settle() : [];
    entry.over = true;
    return {outcome, leaks, faults: last ? await backend.faults() : []};
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
  const reached = (id, name) => stepOf(id, name).promise;
  const {signal, stop, stacks} = backend;
  return {begin, finish, reached, signal, stop, stacks};
}
