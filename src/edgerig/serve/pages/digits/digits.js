// The page: asks the server what is drawn, on the target that was chosen.

import { picture } from "./drawing.js";
import { headerOf, pngOf, textOf } from "./export.js";
import { Pad } from "./pad.js";
import { duration, timeText } from "./times.js";
import { Bars, showPicture } from "./view.js";

const $ = (id) => document.getElementById(id);
const PAUSE = 60;
const bars = new Bars($("outputs"));
const status = (text) => { $("status").textContent = text; };
let wanted = null, asking = false, shown = null;

const pad = new Pad($("paper"), { changed: look, told: status });

function look() {
  const empty = !pad.strokes.length;
  const seen = picture(pad.strokes, { centred: $("centred").checked });
  showPicture($("seen"), seen);
  for (const id of ["undo", "clear", "text", "png", "header"]) $(id).disabled = empty;
  wanted = empty ? null : seen;
  shown = seen;
  if (empty) nothing();
  else ask();
}

function nothing() {
  bars.clear();
  $("answer").textContent = "–";
  $("sure").textContent = "Draw a digit.";
  for (const id of ["network", "queue", "trip", "where"]) $(id).textContent = "–";
  fail("");
}

function fail(text) {
  $("error").textContent = text;
  $("error").hidden = !text;
}

// One request at a time; what was drawn meanwhile is asked next, and only the last of it.
async function ask() {
  if (asking) return;
  asking = true;
  while (wanted) {
    const target = $("target").value, body = wanted;
    wanted = null;
    document.body.classList.add("asking");
    const start = performance.now();
    try {
      const response = await fetch(`digits/infer?target=${encodeURIComponent(target)}`, {
        method: "POST", body, headers: { "Content-Type": "application/octet-stream" },
      });
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}.`);
      if (pad.strokes.length) show(answer, (performance.now() - start) / 1e3);
    } catch (error) {
      bars.clear();
      $("answer").textContent = "–";
      $("sure").textContent = "No answer.";
      fail(error instanceof TypeError ? "The server does not answer. Is it still running?" : error.message);
    }
    document.body.classList.remove("asking");
    await new Promise((done) => { setTimeout(done, PAUSE); });
  }
  asking = false;
}

function show(answer, seconds) {
  fail("");
  bars.show(answer.outputs);
  $("answer").textContent = answer.digit;
  $("sure").textContent = `Output ${answer.digit} is the largest, ${answer.outputs[answer.digit].toFixed(3)}.`;
  $("network").textContent = timeText(answer.network);
  $("queue").textContent = duration(answer.queue.value);
  $("trip").textContent = duration(seconds);
  $("where").textContent = answer.target;
}

function save(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  status(`Saved ${name}.`);
}

async function begin() {
  const about = await (await fetch("digits/about")).json();
  $("name").textContent = about.name;
  for (const [index, target] of about.targets.entries()) {
    const option = document.createElement("option");
    option.value = index;
    option.textContent = target;
    $("target").append(option);
  }
  look();
}

$("undo").addEventListener("click", () => pad.undo());
$("clear").addEventListener("click", () => { pad.clear(); status("Cleared."); });
$("centred").addEventListener("change", look);
$("target").addEventListener("change", look);
$("text").addEventListener("click", () => save("digit.txt", textOf(shown), "text/plain"));
$("png").addEventListener("click", () => save("digit.png", pngOf(shown), "image/png"));
$("header").addEventListener("click", () => save("digit.h", headerOf(shown), "text/x-c"));
begin().catch(() => fail("The server does not answer. Is it still running?"));
