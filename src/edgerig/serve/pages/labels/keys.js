// What keys do, in one table: it is what they do, and what the page says of them.

// Each: keys for the eye, what it does, a test of an event, and the action of the app.
const letter = (key, title, use, shown = key.toUpperCase()) => ({ shown, title, is: (e) => plain(e) && e.key.toLowerCase() === key, use });
const named = (key, title, use, shown = key) => ({ shown, title, is: (e) => plain(e) && e.key === key, use });
const plain = (event) => !event.ctrlKey && !event.metaKey && !event.altKey;
const control = (event) => event.ctrlKey || event.metaKey;
const digit = (event) => /^(Digit|Numpad)[1-9]$/.test(event.code);
const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export const KEYS = {
  Tools: [
    letter("b", "Brush", (app) => app.use("brush")),
    letter("e", "Eraser", (app) => app.use("eraser")),
    letter("a", "Area: paint what lies within an outline", (app) => app.use("area")),
    letter("p", "Polygon", (app) => app.use("polygon")),
    letter("r", "Box (rectangle)", (app) => app.use("box")),
    letter("v", "Select", (app) => app.use("select")),
    letter("h", "Pan; so does the middle button", (app) => app.use("pan")),
    named("[", "Brush smaller", (app) => app.resize(-1)),
    named("]", "Brush larger", (app) => app.resize(1)),
    letter("n", "New object: the next stroke begins a mask of its own", (app) => app.newMask()),
  ],
  Classes: [
    { shown: "1 … 9", title: "Class of what comes, and of the selected shape", is: (e) => plain(e) && !e.shiftKey && digit(e), use: (app, e) => app.chooseNumber(e.code.at(-1)) },
    { shown: "Shift 1 … 9", title: "Class of the whole picture; again for none", is: (e) => plain(e) && e.shiftKey && digit(e), use: (app, e) => app.classifyNumber(e.code.at(-1)) },
    letter("c", "Next class", (app, e) => app.nextClass(e.shiftKey ? -1 : 1), "C"),
    letter("k", "New class", (app) => app.newClass()),
    letter("x", "Accept all that is proposed", (app) => app.acceptAll()),
  ],
  Shapes: [
    letter("s", "Select the next shape; Shift S the one before", (app, e) => app.selectNext(e.shiftKey ? -1 : 1)),
    { shown: "Delete", title: "Remove the selected shape", is: (e) => plain(e) && (e.key === "Delete" || e.key === "Backspace"), use: (app, e) => app.remove(e.key) },
    { shown: "Ctrl Z", title: "Undo what you did", is: (e) => control(e) && !e.shiftKey && e.key.toLowerCase() === "z", use: (app) => app.undo() },
    { shown: "Ctrl Y, Ctrl Shift Z", title: "Redo", is: (e) => control(e) && (e.key.toLowerCase() === "y" || (e.shiftKey && e.key.toLowerCase() === "z")), use: (app) => app.redo() },
    named("Escape", "Give up what was begun; select nothing", (app) => app.cancel(), "Esc"),
  ],
  "Drawing without a mouse": [
    { shown: "Arrows", title: "Move the pen; with Shift ten times as far, with Alt by one pixel", is: (e) => !control(e) && e.key in arrows, use: (app, e) => app.step(arrows[e.key], e) },
    named(" ", "Pen down or up; a corner, a point, a choice", (app) => app.turn(), "Space"),
    { shown: "Ctrl arrows", title: "Pan", is: (e) => control(e) && e.key in arrows, use: (app, e) => app.view.pan(-60 * arrows[e.key][0], -60 * arrows[e.key][1]) },
  ],
  View: [
    { shown: "+", title: "Zoom in", is: (e) => plain(e) && (e.key === "+" || e.key === "="), use: (app) => app.view.zoom(1.25) },
    named("-", "Zoom out", (app) => app.view.zoom(0.8)),
    letter("f", "Fit the picture", (app) => app.view.fit()),
    letter("0", "One to one", (app) => app.view.zoom(1 / app.view.scale)),
    letter("o", "Hide labels, or show them", (app) => app.toggleOpacity()),
  ],
  Pictures: [
    { shown: "Shift Enter", title: "Erase the area that was begun", is: (e) => plain(e) && e.shiftKey && e.key === "Enter", use: (app) => app.tools.closePolygon(true) },
    { shown: "Enter", title: "Done, and the next picture; closes an outline that was begun", is: (e) => plain(e) && !e.shiftKey && e.key === "Enter", use: (app) => app.enter() },
    letter("u", "Doubtful, and the next picture", (app) => app.mark("doubtful")),
    { shown: ". or Page down", title: "Next picture", is: (e) => plain(e) && (e.key === "." || e.key === "PageDown"), use: (app) => app.go(1) },
    { shown: ", or Page up", title: "Previous picture", is: (e) => plain(e) && (e.key === "," || e.key === "PageUp"), use: (app) => app.go(-1) },
    { shown: "Ctrl S", title: "Commit: write a version of the dataset", is: (e) => control(e) && e.key.toLowerCase() === "s", use: (app) => app.commit() },
    named("?", "This page of keys", (app) => app.help()),
  ],
};

// Whether a key belongs to what has the focus, a field or a button, and not to the picture.
function belongs(event) {
  const { target } = event;
  if (target.closest("dialog[open]")) return true;
  if (target.matches("[type=range]")) return /^(Arrow|Page|Home|End)/.test(event.key);
  if (target.matches("input, select, textarea")) return !control(event) || target.matches("[type=search], #who-name");
  return target.matches("button, summary") && (event.key === "Enter" || event.key === " ");
}

export function listen(app) {
  document.addEventListener("keydown", (event) => {
    if (belongs(event)) return;
    const action = Object.values(KEYS).flat().find((each) => each.is(event));
    if (!action) return;
    event.preventDefault();
    action.use(app, event);
  });
}

export function describe(element) {
  const rows = Object.entries(KEYS).map(([title, keys]) => {
    const section = document.createElement("section"), list = document.createElement("dl");
    section.append(Object.assign(document.createElement("h3"), { textContent: title }), list);
    for (const key of keys) {
      const row = document.createElement("div"), term = document.createElement("dt");
      term.append(Object.assign(document.createElement("kbd"), { textContent: key.shown }));
      row.append(term, Object.assign(document.createElement("dd"), { textContent: key.title }));
      list.append(row);
    }
    return section;
  });
  element.replaceChildren(...rows);
}
