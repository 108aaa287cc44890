"""`import lk_pyodide` works wherever Pyodide does; using a room where there is no page says what is missing."""

import asyncio
import json

from tests.harness.pages import Browser, js_call
from tests.harness.paths import NODE, node_modules
from tests.harness.site import Site

# What runs in each host, given the archives' addresses; it answers with what connecting says.
_PYTHON = """
import asyncio, json, sys
sys.path.insert(0, "/source")
import lk_pyodide

async def attempt():
    try:
        await lk_pyodide.Room().connect("ws://127.0.0.1:1", "t")
    except lk_pyodide.LiveKitError as error:
        return json.dumps([type(error).__name__, str(error)])

await attempt()
"""

_LOAD = """
async function attempt(loadPyodide, options, archives, python) {
  const pyodide = await loadPyodide(options);
  for (const [address, format] of archives) {
    const buffer = await (await fetch(address)).arrayBuffer();
    pyodide.unpackArchive(buffer, format, format === "zip" ? {extractDir: "/source"} : undefined);
  }
  return await pyodide.runPythonAsync(python);
}
"""

_IN_WORKER = """(load, archives, python) => new Promise((resolve, reject) => {
  const source = load + `
    import {loadPyodide} from "${location.origin}/pyodide/pyodide.mjs";
    onmessage = async ({data: [archives, python]}) => {
      const answer = await attempt(loadPyodide, {indexURL: "${location.origin}/pyodide/"}, archives, python);
      postMessage(answer);
    };`;
  const worker = new Worker(URL.createObjectURL(new Blob([source], {type: "text/javascript"})), {type: "module"});
  worker.onmessage = ({data}) => { worker.terminate(); resolve(data); };
  worker.onerror = (event) => reject(new Error(event.message ?? "the worker failed"));
  worker.postMessage([archives, python]);
})"""


async def test_in_a_worker(browser: Browser, site: Site) -> None:
    """The package is there; the room says that it is not reachable from here."""
    page = await browser.new_page()
    await page.goto(site.url("/harness/js_peer.html"))
    archives = [(site.url(path), kind) for path, kind in site.archives()]
    kind, text = json.loads(await page.evaluate(js_call(_IN_WORKER, _LOAD, archives, _PYTHON)))
    assert kind == "UnsupportedHostError"
    assert "worker" in text
    await page.close()


async def test_in_node(site: Site) -> None:
    """The same in Node's Pyodide, where there is no page at all."""
    archives = [(site.url(path), kind) for path, kind in site.archives()]
    script = f"""{_LOAD}
    import {{loadPyodide}} from {json.dumps(str(node_modules() / "pyodide" / "pyodide.mjs"))};
    console.log(await attempt(loadPyodide, {{}}, {json.dumps(archives)}, {json.dumps(_PYTHON)}));
    """
    process = await asyncio.create_subprocess_exec(
        str(NODE.find()),
        "--input-type=module",
        "-e",
        script,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    kind, text = json.loads(out.decode().strip().splitlines()[-1])
    assert kind == "UnsupportedHostError"
    assert "page" in text
