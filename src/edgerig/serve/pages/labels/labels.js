// The page to label on: its parts, and what lies between them and the elements of the page.

import { App } from "./app.js";
import { describe, listen } from "./keys.js";
import { Link } from "./link.js";
import { List } from "./list.js";
import { Panel } from "./panel.js";
import { TOOLS, Tools } from "./tools.js";
import { View } from "./view.js";

const by = (id) => document.getElementById(id);
const NAME = "edgerig labels name", PING = 10_000, SILENT = 25_000, NOTE = 6000;
const app = new App();
let opening = null, wanted = "", asking = "", heard = Date.now(), note = 0;

// ---- what is said

function tell(text, kind = "problem") {
  by("message").textContent = text;
  by("message").hidden = !text;
  by("message").dataset.kind = kind;
  clearTimeout(note);
  if (text && kind !== "problem") note = setTimeout(() => tell(""), NOTE);
}

function say(text) { by("spoken").textContent = text; by("hint").textContent = text; hideHint(); }

let hint = 0;
function hideHint() { clearTimeout(hint); hint = setTimeout(() => { by("hint").textContent = ""; }, 3500); }

function showState() {
  const { state, outbox } = link, waiting = outbox.length;
  const strokes = `${waiting} change${waiting === 1 ? "" : "s"}`;
  by("state").dataset.state = state === "connected" && waiting ? "sending" : state;
  by("state").textContent = state === "connected" ? (waiting ? `sending ${strokes}` : "all saved")
    : waiting ? `no connection; ${strokes} wait here` : state === "offline" ? "no connection" : "connecting …";
}

// ---- what the server says

const hear = {
  welcome(message) {
    by("dataset").textContent = `${message.dataset} @${message.version}`;
    document.title = `Labels of ${message.dataset} · edgerig`;
    hear.classes(message);
    list.set(message.pictures);
    const hash = decodeURIComponent(location.hash.slice(1));
    const open = message.pictures.find(({ state, problem }) => state !== "done" && !problem) ?? message.pictures[0];
    app.open(wanted || (list.pictures.has(hash) ? hash : open?.name));
  },
  async picture(message) {
    if (message.name !== wanted) return;
    if (message.problem) { unreadable(message); return; }
    opening = message;
    const image = message.name === app.picture && app.document ? app.view.image : await load(message);
    if (opening !== message) return;
    opening = null;
    by("waiting").hidden = Boolean(image);
    // A brush that is seen, whatever the size of the first picture.
    if (image && app.radius === null) app.setRadius(Math.max(2, Math.min(message.width, message.height) / 80));
    if (image) app.opened(message, image);
    showName();
  },
  operation({ record }) {
    if (opening?.name === record.picture) opening.records.push(record);
    else app.heard(record);
  },
  summary({ picture }) {
    list.update(picture);
    if (picture.name === wanted) showPeople(picture);
  },
  classes({ classes }) {
    const asked = classes.find(({ name }) => name === asking);
    app.classes = classes;
    app.klass = classes.some(({ name }) => name === app.klass) ? app.klass : classes[0]?.name ?? "";
    panel.setClasses(classes);
    if (asked) { asking = ""; app.choose(asked.name); }
  },
  pictures({ pictures }) {
    for (const picture of pictures) list.update(picture);
    tell(pictures.length === 1 ? `${pictures[0].name} is new in the dataset.` : `${pictures.length} pictures are new in the dataset.`, "note");
  },
  taken() {},
  refused(message) { app.refused(message); },
  problem({ message }) { tell(message); },
  committing({ done, total }) { tell(`Writing a version: ${done} of ${total} pictures`, "note"); },
  committed({ version, pictures, classes, prefill, left }) {
    by("dataset").textContent = by("dataset").textContent.replace(/@\d+$/, `@${version}`);
    const count = `${pictures} picture${pictures === 1 ? "" : "s"}`;
    const said = [
      pictures ? `Version ${version} has the labels of ${count}.` : classes ? `Version ${version} has new classes.` : "Nothing has changed.", prefill ? `Proposals: ${prefill}.` : "",
      left.length ? `Left out, for the dataset has them no more or they cannot be read: ${left.join(", ")}.` : "",
    ];
    tell(said.filter(Boolean).join(" "), left.length ? "problem" : "note");
  },
  pong() {},
};

function unreadable({ name, problem }) {
  opening = null;
  Object.assign(app, { document: null, picture: name });
  app.view.show(null, null);
  app.view.draw();
  panel.draw();
  by("waiting").textContent = problem;
  by("waiting").hidden = false;
  showName();
}

async function load({ sha256, width, height }) {
  by("waiting").textContent = "Loading …";
  by("waiting").hidden = false;
  const image = new Image();
  image.src = `labels/picture/${sha256}`;
  try {
    await image.decode();
  } catch {
    by("waiting").textContent = "This browser cannot show the picture.";
    return null;
  }
  if (image.naturalWidth === width && image.naturalHeight === height) return image;
  by("waiting").textContent = `This browser shows ${image.naturalWidth} x ${image.naturalHeight} pixels instead of ${width} x ${height}.`;
  return null;
}

// ---- what is seen of pictures

function showName() {
  by("name").textContent = wanted;
  showPeople(list.pictures.get(wanted));
}

function showPeople(picture) {
  const others = picture ? list.others(picture) : [];
  by("others").textContent = others.length ? `Also here: ${others.join(", ")}` : "";
}

app.open = (name) => {
  if (!name) return;
  wanted = name;
  opening = null;
  if (name !== app.picture) {
    app.tools.cancel();
    Object.assign(app, { document: null, picture: "" });
    app.view.show(null, null);
    app.view.draw();
    panel.draw();
    by("waiting").textContent = link.state === "connected" ? "Loading …" : "There is no connection; the picture comes when it is back.";
    by("waiting").hidden = false;
  }
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  list.show(name);
  showName();
  link.send({ type: "open", picture: name });
};

app.pointed = (at) => {
  const inside = at && app.document && at[0] >= 0 && at[1] >= 0 && at[0] < app.document.width && at[1] < app.document.height;
  by("coordinates").textContent = [
    inside ? `${Math.floor(at[0])}, ${Math.floor(at[1])}` : "",
    app.document ? `${app.document.width} × ${app.document.height}` : "", `${Math.round(100 * app.view.scale)} %`,
  ].filter(Boolean).join("  ·  ");
};

app.showTool = (name) => {
  for (const button of by("tools").children) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
  by("brush").hidden = name !== "brush" && name !== "eraser";
  const tool = TOOLS.find((each) => each.name === name);
  if (tool) say(`${tool.title}: ${tool.hint}`);
};

// The slider's steps grow with the brush: 0 to 100 for radii of 0 to 512.
app.showRadius = () => {
  by("size").value = Math.round(100 * Math.sqrt(app.radius / 512));
  by("size-shown").textContent = `${2 * app.radius + 1} px`;
};

app.setOpacity = (value) => {
  app.view.opacity = value;
  by("opacity").value = Math.round(100 * value);
  by("opacity-shown").textContent = `${Math.round(100 * value)} %`;
  app.view.draw();
};

let seen = 0.5;
app.toggleOpacity = () => {
  if (app.view.opacity > 0) seen = app.view.opacity;
  app.setOpacity(app.view.opacity > 0 ? 0 : seen);
};

app.newClass = () => {
  by("new-class-name").value = "";
  by("new-class").showModal();
};
by("new-class-form").onsubmit = () => {
  asking = by("new-class-name").value.trim();
  if (app.classes.some(({ name }) => name === asking)) app.choose(asking);
  else if (asking && !link.send({ type: "class", name: asking })) tell("There is no connection to the server; add the class when it is back.");
};
by("new-class-cancel").onclick = () => by("new-class").close();

app.help = () => by("help").showModal();

// ---- begin

function ask(after) {
  by("who-name").value = localStorage.getItem(NAME) ?? "";
  by("who").showModal();
  by("who-form").onsubmit = () => {
    const name = by("who-name").value.trim();
    if (!name) return;
    localStorage.setItem(NAME, name);
    by("me").textContent = name;
    after(name);
  };
}

const link = new Link({
  name: localStorage.getItem(NAME) ?? "",
  hear: (message) => { heard = Date.now(); hear[message.type]?.(message); },
  changed: showState,
});
const view = new View(by("canvas"), (name) => app.colourOf(name));
const list = new List(by, (name) => app.open(name), () => link.name);
const panel = new Panel(by, app);
const tools = new Tools(app, by("canvas"));
app.connect({ by, link, view, list, panel, tools, say, tell });
view.changed = () => app.pointed(view.pen?.at ?? null);
Object.defineProperty(window, "edgerig", { value: { app } });

for (const { name, title, key, hint: text } of TOOLS) {
  const button = Object.assign(document.createElement("button"), { type: "button", title: `${title} (${key}). ${text}` });
  button.dataset.tool = name;
  button.append(title, Object.assign(document.createElement("kbd"), { textContent: key.toUpperCase() }));
  by("tools").append(button);
  button.onclick = () => app.use(name);
}
function button(place, title, text, use) {
  const element = Object.assign(document.createElement("button"), { type: "button", title: text, textContent: title, onclick: use });
  if (title.length === 1) element.setAttribute("aria-label", text);
  by(place).append(element);
}
button("history", "Undo", "Undo (Ctrl-Z)", () => app.undo());
button("history", "Redo", "Redo (Ctrl-Y)", () => app.redo());
button("zoom", "+", "Zoom in (+)", () => view.zoom(1.25));
button("zoom", "−", "Zoom out (-)", () => view.zoom(0.8));
button("zoom", "Fit", "Fit (f)", () => view.fit());
by("size").oninput = ({ target }) => app.setRadius(512 * (target.value / 100) ** 2);
by("opacity").oninput = ({ target }) => app.setOpacity(target.value / 100);
by("previous").onclick = () => app.go(-1);
by("next").onclick = () => app.go(1);
by("done").onclick = () => app.mark("done");
by("new-mask").onclick = () => app.newMask();
by("doubtful").onclick = () => app.mark("doubtful");
by("accept").onclick = () => app.acceptAll();
by("reject").onclick = () => app.rejectAll();
by("class-add").onclick = () => app.newClass();
by("commit").onclick = () => app.commit();
by("help-open").onclick = () => app.help();
by("me").onclick = () => ask((name) => link.rename(name));
by("message").onclick = () => tell("");
// After a click keys are for the picture again.
const back = () => by("canvas").focus({ preventScroll: true, focusVisible: false });
document.addEventListener("click", ({ target, detail }) => { if (detail && target.closest("main button, header button")) back(); });
for (const name of ["size", "opacity"]) by(name).addEventListener("pointerup", back);
for (const name of ["whole", "filter"]) {
  // Who chooses by keys stays there: letters choose further.
  let pointed = false;
  by(name).addEventListener("pointerdown", () => { pointed = true; });
  by(name).addEventListener("keydown", () => { pointed = false; });
  by(name).addEventListener("change", () => { if (pointed) back(); });
}
by("search").addEventListener("keydown", (event) => { if (event.key === "Enter") back(); });
if (matchMedia("(max-width: 760px)").matches) by("list-fold").open = false;
describe(by("keys"));
listen(app);
app.use("brush");
app.setOpacity(0.5);
by("me").textContent = link.name || "–";
addEventListener("online", () => link.retry());
// A page that the browser sets aside is not there for the others; it may be shown again.
addEventListener("pagehide", () => link.leave());
addEventListener("pageshow", (event) => { if (event.persisted && link.name) link.open(); });
addEventListener("beforeunload", (event) => { if (link.outbox.length) event.preventDefault(); });
setInterval(() => {
  if (link.state !== "connected") return;
  // A connection can die without a word.
  if (Date.now() - heard > SILENT) link.socket.close();
  else link.send({ type: "ping" });
}, PING);
if (link.name) link.open(); else ask((name) => { link.name = name; link.open(); });
