// What a browser lets a page do only while the user clicks or types.

const KINDS = ["pointerdown", "pointerup", "click", "keydown", "touchend"];
const hints = new Map(); // who waits -> what the user is told
let shown = null;

function showHints() {
  const text = [...new Set(hints.values())].join(" ");
  if (!text) {
    shown?.remove();
    shown = null;
    return;
  }
  if (!shown) {
    shown = document.createElement("div");
    shown.className = "lk-agent-hint";
    shown.role = "status";
    shown.style.cssText =
      "position:fixed;inset:auto 0 1rem;margin:auto;width:fit-content;max-width:90vw;padding:.6em 1em;z-index:2147483647;" +
      "border-radius:.5em;background:#111;color:#fff;font:1rem system-ui,sans-serif;box-shadow:0 2px 12px #0006";
    document.body.append(shown);
  }
  shown.textContent = text;
}

/** Things to do at the user's next click or key press; meanwhile the page asks for it. */
export class Gestures {
  #armed = new Map(); // what to do -> what to do instead when it is called off
  #hint;
  #listen = () => {
    if (navigator.userActivation && !navigator.userActivation.isActive) return;
    const due = [...this.#armed.keys()];
    this.#armed.clear();
    this.#update();
    for (const act of due) act();
  };

  /** @param hint what the user is asked for */
  constructor(hint) {
    this.#hint = hint;
  }

  arm(act, callOff) {
    this.#armed.set(act, callOff);
    this.#update();
  }

  callOff() {
    const off = [...this.#armed.values()];
    this.#armed.clear();
    this.#update();
    for (const act of off) act();
  }

  #update() {
    const waits = this.#armed.size > 0;
    const change = waits ? "addEventListener" : "removeEventListener";
    for (const kind of KINDS) globalThis[change](kind, this.#listen, {capture: true});
    if (waits) hints.set(this, this.#hint);
    else hints.delete(this);
    showHints();
  }
}
