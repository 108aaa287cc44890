// What tests/harness/jupyterlite.py asks of JupyterLite, by the application's own interface (`exposeAppInBrowser`).
// Unsaved changes must not keep a page from being closed or left.
addEventListener("beforeunload", (event) => event.stopImmediatePropagation(), {capture: true});

globalThis.lkLite = (() => {
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
    save: () => panel().context.save(),
    forget: (path) => contents().delete(path),
  };
})();
