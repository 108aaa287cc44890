// Pyodide in a worker without anything around it; tests/inpage/remote.py does the rest.
import {loadPython} from "./load_python.js";

const {token, archives} = JSON.parse(self.name);
const pyodide = await loadPython(archives);
pyodide.pyimport("tests.inpage.remote").serve(token);
