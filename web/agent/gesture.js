// What a browser lets a page do only while the user clicks or types.

const KINDS = ["pointerdown", "pointerup", "click", "keydown", "touchend"];

/** Things to do at the user's next click or key press. */
export class Gestures {
  #armed = new Map(); // what to do -> what to do instead when it is called off
  #listen = () => {
    if (navigator.userActivation && !navigator.userActivation.isActive) return;
    const due = [...this.#armed.keys()];
    this.#armed.clear();
    this.#update();
    for (const act of due) act();
  };

  arm(act, callOff = () => {}) {
    this.#armed.set(act, callOff);
    this.#update();
    return () => this.#callOff([act]);
  }

  callOff() {
    this.#callOff([...this.#armed.keys()]);
  }

  #callOff(acts) {
    for (const act of acts) {
      const callOff = this.#armed.get(act);
      this.#armed.delete(act);
      callOff?.();
    }
    this.#update();
  }

  #update() {
    const change = this.#armed.size ? "addEventListener" : "removeEventListener";
    for (const kind of KINDS) globalThis[change](kind, this.#listen, {capture: true});
  }
}
