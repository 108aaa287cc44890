// The page's half of the meeting in a worker: what people do goes to Python, what Python tells is shown.
// What others send (names, messages) goes into the page as text only, never as HTML.
const at = (id) => document.getElementById(id);
const python = await whenThere(() => document.querySelector("script[worker]").xworker);
const tell = (message) => python.postMessage(JSON.stringify(message));

async function whenThere(find) {
  while (!find()) await new Promise((resolve) => setTimeout(resolve, 20)); // PyScript says nothing when it begins
  return find();
}

function make(tag, className = "", text = "") {
  return Object.assign(document.createElement(tag), {className, textContent: text});
}

function makeTile(id) {
  const tile = Object.assign(make("figure", "tile"), {id});
  const caption = make("figcaption");
  caption.append(make("span", "name"), make("span", "muted", "muted"));
  const initial = make("span", "initial");
  initial.ariaHidden = "true";
  tile.append(initial, caption);
  at("tiles").append(tile);
  return tile;
}

function updateTile({id, name, initial, hue, muted, styles, seen}) {
  const tile = at(id) ?? makeTile(id);
  tile.className = ["tile", ...styles].join(" ");
  tile.style.setProperty("--hue", hue);
  tile.querySelector(".name").textContent = name;
  tile.querySelector(".muted").hidden = !muted;
  tile.querySelector(".initial").textContent = initial;
  tile.querySelector(".initial").hidden = seen;
}

const show = {
  tiles(tiles) {
    const wanted = new Set(tiles.map(({id}) => id));
    for (const tile of [...at("tiles").children]) if (!wanted.has(tile.id)) tile.remove();
    tiles.forEach(updateTile);
    tell({do: "play"});
  },
  switches(switches) {
    for (const [button, on] of Object.entries(switches)) at(button).ariaPressed = String(on);
  },
  menus(menus) {
    for (const [kind, devices] of Object.entries(menus)) {
      at(kind).parentElement.hidden = devices.length === 0;
      at(kind).replaceChildren(...devices.map(({device_id, label, chosen}) => new Option(label, device_id, chosen, chosen)));
    }
    at("no-devices").hidden = Object.values(menus).some((devices) => devices.length > 0);
  },
  state(state, {inside}) {
    const moved = at("meeting").hidden === inside;
    document.body.dataset.state = state;
    at("join").hidden = inside;
    at("meeting").hidden = !inside;
    at("enter").disabled = state !== "disconnected";
    if (!inside) at("lines").replaceChildren();
    if (moved) at(inside ? "microphone" : "name").focus(); // the button that had the focus has just gone
  },
  status(status) {
    at("status").textContent = status;
  },
  alone(alone) {
    at("alone").hidden = !alone;
  },
  invitation(invitation, {link}) {
    at("invitation").textContent = invitation;
    for (const id of ["link", "second-tab", "copy"]) at(id).hidden = !link;
    at("link").textContent = at("link").href = at("second-tab").href = link;
  },
  problem(problem) {
    at("problem").textContent = problem;
    at("problem").hidden = !problem;
  },
  own(open) {
    at("own").open = open;
  },
  silent(silent) {
    at("sound").hidden = !silent;
  },
  line(text, {sender}) {
    const line = make("p", sender ? "" : "note");
    if (sender) line.append(make("strong", "", sender), ": ");
    line.append(text);
    at("lines").append(line);
    at("lines").scrollTop = at("lines").scrollHeight;
  },
};

python.addEventListener("message", ({data}) => {
  if (typeof data !== "string" || !data.startsWith("{")) return; // PyScript's own
  const changes = JSON.parse(data);
  for (const [what, value] of Object.entries(changes)) show[what]?.(value, changes);
});

at("join").addEventListener("submit", (event) => {
  event.preventDefault();
  at("enter").disabled = true;
  const fields = Object.fromEntries(["name", "room", "url", "token"].map((id) => [id, at(id).value]));
  const [microphone, camera] = [at("with-microphone").checked, at("with-camera").checked];
  tell({do: "join", ...fields, microphone, camera, page: location.href});
});
at("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  at("text").value = "";
  if (text) tell({do: "say", text});
});
for (const button of document.querySelectorAll("#controls [aria-pressed]")) {
  button.addEventListener("click", () => tell({do: "switch", button: button.id}));
}
at("devices").addEventListener("change", ({target}) => tell({do: "choose", kind: target.id, device: target.value}));
at("devices").addEventListener("toggle", () => tell({do: "look"}));
at("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(at("link").href);
  at("copy").textContent = "Copied";
});
at("leave").addEventListener("click", () => tell({do: "leave"}));
at("sound").addEventListener("click", () => tell({do: "hear"}));

for (const [id, value] of new URLSearchParams(location.search)) {
  if (id === "name" || id === "room") at(id).value = value;
}
