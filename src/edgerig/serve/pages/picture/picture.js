// The page: a picture that is dropped, pasted, chosen or taken goes to the server, and what the network says is shown.

import { showRows } from "./rows.js";
import { duration, timeText } from "./times.js";

const $ = (id) => document.getElementById(id);
const SILENT = "The server does not answer. Is it still running?";
let about = null, asking = null, address = "";

function fail(text) {
  $("error").textContent = text;
  $("error").hidden = !text;
}

const milliseconds = (value) => duration(value / 1e3);

// A later picture takes the place of one that is still asked about.
async function ask(file) {
  if (!file) return;
  if (about && file.size > about.most_bytes) {
    nothing(`${file.name} has ${file.size.toLocaleString("en")} bytes; at most ${about.most_bytes.toLocaleString("en")} are taken.`);
    return;
  }
  asking?.abort();
  const own = asking = new AbortController();
  document.body.classList.add("asking");
  $("sure").textContent = "Asking …";
  const start = performance.now();
  try {
    const response = await fetch("picture/infer", { method: "POST", body: file, signal: own.signal });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}.`);
    show(answer, file.name, performance.now() - start);
  } catch (error) {
    if (own.signal.aborted) return;
    nothing(error instanceof TypeError ? SILENT : error.message);
  }
  document.body.classList.remove("asking");
  asking = null;
}

function nothing(error) {
  fail(error);
  $("picture").hidden = true;
  $("empty").hidden = false;
  $("screen").classList.remove("full");
  $("caption").textContent = "";
  $("answer").textContent = "–";
  $("sure").textContent = "No answer.";
  $("rows").replaceChildren();
  $("more").hidden = true;
  for (const id of ["network", "queue", "prepare", "trip"]) $(id).textContent = "–";
}

function show(answer, name, trip) {
  fail("");
  URL.revokeObjectURL(address);
  const bytes = Uint8Array.from(atob(answer.picture), (character) => character.charCodeAt(0));
  address = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
  $("picture").src = address;
  $("picture").alt = `${name}, with what the network sees in it`;
  $("picture").hidden = false;
  $("empty").hidden = true;
  $("screen").classList.add("full");
  const reduced = answer.reduced ? ", read with fewer pixels" : "";
  $("caption").textContent = `${name}, ${answer.width}×${answer.height}${reduced}`;
  showRows(answer.rows, about.task, { answer: $("answer"), sure: $("sure"), list: $("rows"), more: $("more") });
  const times = answer.milliseconds;
  $("network").textContent = timeText(answer.network);
  $("queue").textContent = milliseconds(times.queue);
  $("prepare").textContent = `${milliseconds(times.prepare)}, after ${milliseconds(times.decode)} to read the file`;
  $("trip").textContent = milliseconds(trip);
}

const firstImage = (items) => [...items].find((file) => file instanceof Blob && file.type.startsWith("image/")) ?? items[0];

function listen() {
  $("choose").addEventListener("click", () => $("file").click());
  $("photo").addEventListener("click", () => $("camera").click());
  for (const id of ["file", "camera"]) {
    $(id).addEventListener("change", () => {
      ask($(id).files[0]);
      // So that the same file can be chosen again.
      $(id).value = "";
    });
  }
  document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dragging"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    if (event.dataTransfer.files.length) ask(firstImage(event.dataTransfer.files));
    else nothing("What was dropped is no file. Save the picture first, or copy and paste it.");
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) ask(firstImage(event.clipboardData.files));
    else nothing("There is no picture on the clipboard.");
  });
  $("photo").hidden = !matchMedia("(pointer: coarse)").matches;
  $("paste").hidden = !navigator.clipboard?.read;
  $("paste").addEventListener("click", paste);
}

async function paste() {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((kind) => kind.startsWith("image/"));
      if (type) { ask(new File([await item.getType(type)], "pasted picture", { type })); return; }
    }
    nothing("There is no picture on the clipboard.");
  } catch {
    nothing("The browser does not let this page read the clipboard; press Ctrl+V instead.");
  }
}

async function begin() {
  about = await (await fetch("picture/about")).json();
  $("name").textContent = about.name;
  $("target").textContent = about.target;
  $("file").accept = about.formats.map((format) => `image/${format.toLowerCase()}`).join(",");
  for (const line of about.told) $("told").append(Object.assign(document.createElement("li"), { textContent: line }));
  listen();
}

begin().catch(() => fail(SILENT));
