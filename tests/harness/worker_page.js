// Boots Pyodide in a module worker of this page. Who looks for the worker finds it as in a page of PyScript: it is the
// property `xworker` of an element `script[worker]`.
import {connect} from "./remote_page.js";

const token = crypto.randomUUID();
const remote = connect(token);

export async function boot(archives) {
  // By its name: the worker's messages belong to those who look for Python in it.
  const name = JSON.stringify({token, archives});
  const worker = new Worker("/harness/python_worker.js", {type: "module", name});
  document.querySelector("script[worker]").xworker = worker;
  const broken = Promise.withResolvers();
  worker.addEventListener("error", (event) => broken.reject(new Error(`the worker: ${event.message}`)), {once: true});
  await Promise.race([remote.boot(), broken.promise]);
}

export const {begin, finish, reached, signal, stop, stacks} = remote;
