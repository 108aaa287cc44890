// Pyodide with our sources and wheels in it, on a page or in a module worker.
import {loadPyodide} from "/pyodide/pyodide.mjs";

const SOURCE = "/lk-source";

export async function loadPython(archives) {
  const fetched = archives.map(async ([path, format]) => {
    const reply = await fetch(path);
    if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
    return [await reply.arrayBuffer(), format];
  });
  const print = {stdout: (line) => console.log(line), stderr: (line) => console.warn(line)};
  const pyodide = await loadPyodide({indexURL: "/pyodide/", ...print});
  for (const [buffer, format] of await Promise.all(fetched)) {
    pyodide.unpackArchive(buffer, format, format === "zip" ? {extractDir: SOURCE} : undefined);
  }
  pyodide.runPython(`import sys; sys.path.insert(0, "${SOURCE}")`);
  return pyodide;
}
