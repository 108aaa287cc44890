// Drives a stock Firefox for the tests: one JSON object per line on stdin and stdout.
//   in:  {id, method, page, params}          or {reply: requestId, ...answer} for an intercepted request
//   out: {id, result} or {id, error}, and events {event: "console" | "request", page, ...}
// Playwright cannot drive a stock Firefox; puppeteer-core can, over WebDriver BiDi.
import {createInterface} from "node:readline";
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";

const [modules, executablePath, preferences] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/`));
const {default: puppeteer} = await import(pathToFileURL(require.resolve("puppeteer-core")).href);

// Headless Firefox has no screen to offer, but it can capture a tab: the same pipeline behind the standard call,
// with the standard's demand for a user gesture.
function captureTabAsScreen() {
  const devices = globalThis.MediaDevices?.prototype;
  if (!devices) return;
  devices.getDisplayMedia = async function getDisplayMedia(constraints = {}) {
    if (!navigator.userActivation.isActive) {
      throw new DOMException("getDisplayMedia requires transient activation from a user gesture.", "InvalidStateError");
    }
    const video = constraints.video === true || !constraints.video ? {} : constraints.video;
    return this.getUserMedia({video: {...video, mediaSource: "browser"}});
  };
}

const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");
const browser = await puppeteer.launch({
  browser: "firefox",
  protocol: "webDriverBiDi",
  executablePath,
  headless: true,
  defaultViewport: null,
  extraPrefsFirefox: JSON.parse(preferences),
});

const level = (message) => (message.type() === "warn" ? "warning" : message.type()); // as Chromium says it
const pages = new Map();
const intercepted = new Map();
let counter = 0;

async function openPage() {
  // A window each: Firefox puts background tabs to sleep, and with them timers and video callbacks.
  const page = await browser.newPage({type: "window"});
  const key = ++counter;
  pages.set(key, {page, prefixes: []});
  await page.evaluateOnNewDocument(captureTabAsScreen);
  page.on("console", (message) => say({event: "console", page: key, text: `${level(message)}: ${message.text()}`}));
  page.on("pageerror", (error) => say({event: "console", page: key, text: `pageerror: ${error?.stack || error}`}));
  return key;
}

async function intercept({page, prefixes}, key, prefix) {
  prefixes.push(prefix);
  if (prefixes.length > 1) return;
  page.on("request", (request) => {
    const matching = prefixes.findLast((known) => request.url().startsWith(known));
    if (!matching) return request.continue().catch(() => {});
    const id = ++counter;
    intercepted.set(id, request);
    say({event: "request", page: key, request: id, prefix: matching, url: request.url()});
  });
  await page.setRequestInterception(true);
}

async function answer({reply, status, headers, body}) {
  const request = intercepted.get(reply);
  intercepted.delete(reply);
  await request?.respond({status, headers, body: Buffer.from(body, "base64")});
}

const methods = {
  open: () => openPage(),
  version: () => browser.version(),
  goto: ({page}, {url}) => page.goto(url, {waitUntil: "load"}).then(() => null),
  evaluate: ({page}, {expression}) => page.evaluate(expression),
  preload: ({page}, {script}) => page.evaluateOnNewDocument(script).then(() => null),
  click: ({page}, {selector}) => page.click(selector),
  screenshot: ({page}, {path}) => page.screenshot({path}).then(() => null),
  route: (entry, {prefix}, key) => intercept(entry, key, prefix),
  close: ({page}, _params, key) => (pages.delete(key), page.close({runBeforeUnload: true})),
};

async function handle(message) {
  if (message.reply !== undefined) return answer(message).catch((error) => process.stderr.write(`${error}\n`));
  try {
    const entry = message.page === undefined ? undefined : pages.get(message.page);
    if (message.page !== undefined && !entry) throw new Error("the page is closed");
    const result = await methods[message.method](entry, message.params, message.page);
    say({id: message.id, result: result ?? null});
  } catch (error) {
    say({id: message.id, error: String(error?.message ?? error)});
  }
}

const lines = createInterface({input: process.stdin});
lines.on("line", (line) => handle(JSON.parse(line)));
lines.on("close", () => browser.close().finally(() => process.exit(0)));
say({event: "ready"});
