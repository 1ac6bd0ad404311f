// The notebook's widget: the page's paper, picture and bars in an output cell. Python joins this file to the others.

import { picture } from "./drawing.js";
import { Pad } from "./pad.js";
import { Bars, showPicture } from "./view.js";

const SEND = 100;

function render({ model, el }) {
  el.classList.add("edgerig-digits");
  const add = (tag, parent, text = "") => {
    const element = document.createElement(tag);
    element.textContent = text;
    parent.append(element);
    return element;
  };
  const paper = add("canvas", el), side = add("div", el), seen = add("canvas", side), list = add("ol", side);
  const said = add("p", side), buttons = add("div", side);
  paper.setAttribute("role", "application");
  paper.setAttribute("aria-label", "Paper: arrow keys move the pen, Space puts it down and lifts it.");
  seen.setAttribute("role", "img");
  seen.setAttribute("aria-label", "The picture that the network sees");
  said.setAttribute("role", "status");
  paper.className = "paper"; seen.className = "seen"; list.className = "bars"; buttons.className = "buttons";
  const bars = new Bars(list);
  let own = false, timer;

  const look = () => showPicture(seen, picture(pad.strokes, { centred: model.get("centred") }));
  const send = () => {
    timer = undefined;
    own = true;
    model.set("strokes", pad.strokes.map((stroke) => stroke.map((point) => [...point])));
    model.save_changes();
    own = false;
  };
  const pad = new Pad(paper, {
    changed: () => { look(); timer ??= setTimeout(send, SEND); },
    told: (text) => { said.textContent = text; },
  });
  const take = () => { if (!own) { pad.show(model.get("strokes")); clearTimeout(timer); timer = undefined; } };
  const answer = () => {
    const outputs = model.get("outputs");
    if (outputs.length === 10) bars.show(outputs);
    else bars.clear();
    list.hidden = !outputs.length;
    said.textContent = model.get("answer");
  };
  for (const [text, action] of [["Undo", () => pad.undo()], ["Clear", () => pad.clear()]]) {
    add("button", buttons, text).addEventListener("click", action);
  }
  model.on("change:strokes", take);
  model.on("change:centred", look);
  model.on("change:outputs change:answer", answer);
  take();
  answer();
  return () => clearTimeout(timer);
}

export default { render };
