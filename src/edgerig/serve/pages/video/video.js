// The live picture: one is asked for when the one before is shown, so that none ever waits.
import { startCamera, stopCamera } from "./camera.js";
import { Pictures } from "./pictures.js";
import { showStatus } from "./figures.js";

const by = (id) => document.getElementById(id);
const AGAIN = 1000, STATUS = 1000;

const pictures = new Pictures(by("picture"), (about) => {
  by("waiting").hidden = true;
  by("caption").textContent = about.caption;
  by("infer").textContent = `${about.infer.toFixed(1)} ms`;
  by("display").textContent = `${about.display.toFixed(1)} ms`;
  by("rate").textContent = `${pictures.rate()} a second`;
});
let lost = "";

function tell(message) {
  by("error").textContent = message;
  by("error").hidden = !message;
}

export function socketOf(name) {
  const address = new URL(`video/${name}`, location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  socket.binaryType = "blob";
  return socket;
}

function watch() {
  if (document.hidden) return;
  const socket = socketOf("live");
  socket.onopen = () => { lost = ""; socket.send("next"); };
  socket.onmessage = async (message) => {
    if (await pictures.take(message.data) && socket.readyState === WebSocket.OPEN) socket.send("next");
  };
  socket.onclose = () => { lost = "The connection to the server is lost; trying again."; setTimeout(watch, AGAIN); };
  // A page that nobody looks at asks for nothing.
  document.addEventListener("visibilitychange", () => { if (document.hidden) socket.close(); }, { once: true });
}

async function status() {
  try {
    const answer = await fetch("video/status", { cache: "no-store" });
    const figures = await answer.json();
    showStatus(figures, by);
    tell(lost || figures.source.message || pictures.error);
    return figures;
  } catch {
    tell("The server does not answer; trying again.");
    return null;
  }
}

async function begin() {
  const figures = await status();
  if (figures === null) { setTimeout(begin, AGAIN); return; }
  by("name").textContent = figures.network;
  for (const line of figures.told) by("told").append(Object.assign(document.createElement("li"), { textContent: line }));
  setInterval(() => { if (!document.hidden) status(); }, STATUS);
  if (!figures.browser) {
    watch();
    document.addEventListener("visibilitychange", () => { if (!document.hidden) watch(); });
    return;
  }
  by("feed").hidden = true;
  by("camera").hidden = false;
  by("stored").hidden = figures.keep === null;
  by("waiting").textContent = "The camera is off.";
  by("start").onclick = () => startCamera({ by, tell, pictures, socketOf });
  by("stop").onclick = () => stopCamera({ by });
}

begin();
