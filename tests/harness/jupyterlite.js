// What tests/harness/jupyterlite.py asks of JupyterLite, by the application's own interface (`exposeAppInBrowser`).
globalThis.lkLite = (() => {
  const made = {devices: 0, tracks: 0, sockets: 0, connections: 0, frames: 0}; // since the page was loaded
  const captured = [];
  const getUserMedia = globalThis.MediaDevices?.prototype.getUserMedia;
  if (getUserMedia) {
    MediaDevices.prototype.getUserMedia = async function (...args) {
      made.devices++;
      const stream = await getUserMedia.apply(this, args);
      made.tracks = captured.push(...stream.getTracks());
      return stream;
    };
  }
  const counted = (name, key) => {
    globalThis[name] = new Proxy(globalThis[name], {construct: (...args) => (made[key]++, Reflect.construct(...args))});
  };
  counted("WebSocket", "sockets");
  counted("RTCPeerConnection", "connections");
  const {send} = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    made.frames++;
    send.call(this, data);
  };
  const capturing = () => captured.filter(({readyState}) => readyState === "live").length;

  const tick = () => new Promise((resolve) => setTimeout(resolve, 50));
  const panel = () => globalThis.jupyterapp?.shell.currentWidget;
  const kernel = () => panel()?.sessionContext?.session?.kernel;
  const contents = () => globalThis.jupyterapp.serviceManager.contents;
  const execute = (command) => globalThis.jupyterapp.commands.execute(command);
  const running = new Map();
  let last = 0;

  // The application has no event for "this document is open".
  async function opened(path) {
    while (panel()?.context?.path !== path) await tick();
    await panel().context.ready;
    await panel().revealed;
  }

  // A kernel answers the request when it can run code, and not before.
  async function kernelReady() {
    await panel().sessionContext.ready;
    while (kernel()?.connectionStatus !== "connected") await tick();
    await kernel().requestKernelInfo();
  }

  function begin(work) {
    running.set(++last, work);
    work.catch(() => {}); // `finish` tells of it
    return last;
  }

  async function finish(run) {
    await running.get(run);
    running.delete(run);
  }

  function beginCell(source) {
    const {content} = panel();
    content.model.sharedModel.addCell({cell_type: "code", source});
    content.activeCellIndex = content.widgets.length - 1;
    return {index: content.activeCellIndex, run: begin(execute("notebook:run-cell"))};
  }

  function putCells(sources) {
    const {sharedModel} = panel().content.model;
    sharedModel.transact(() => {
      sharedModel.deleteCellRange(0, sharedModel.cells.length);
      sharedModel.insertCells(0, sources.map((source) => ({cell_type: "code", source})));
    });
  }

  const cells = () => [...panel().content.model.cells].map((cell) => ({
    kind: cell.type,
    source: cell.sharedModel.getSource(),
    count: cell.executionCount ?? null,
    running: cell.executionState === "running",
    outputs: cell.outputs?.toJSON() ?? [],
  }));

  return {
    opened,
    kernelReady,
    kernelStatus: () => kernel()?.status ?? "no kernel",
    restart: () => panel().sessionContext.restartKernel().then(kernelReady),
    shutDown: () => panel().sessionContext.shutdown(),
    start: () => panel().sessionContext.startKernel().then(kernelReady),
    cells,
    putCells,
    beginAll: () => begin(execute("notebook:run-all-cells")),
    beginCell,
    finish,
    made: () => made,
    capturing,
    uncaptured: async () => {
      while (capturing()) await tick();
    },
    read: async (path) => JSON.stringify(await contents().get(path, {content: true})),
    save: () => panel().context.save(),
    forget: (path) => contents().delete(path),
  };
})();
