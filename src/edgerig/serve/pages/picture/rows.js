// What a network says of a picture, in rows: classes with their probability or share, or boxes with their score.

const FEW = 10;

const percent = (value) => `${(100 * value).toFixed(1)} %`;

const make = (tag, classes, parent, text = "") => {
  const element = Object.assign(document.createElement(tag), { className: classes, textContent: text });
  parent.append(element);
  return element;
};

function head(rows, task) {
  if (task === "detection") {
    const count = rows.length === 1 ? "1 object" : `${rows.length || "no"} objects`;
    return [count, rows.length ? "Boxes by their score." : "No box has a score that is high enough."];
  }
  const best = rows[0];
  if (task === "segmentation") return [best.name, `covers ${percent(best.value)} of what the network sees.`];
  return [best.name, `Probability ${percent(best.value)}.`];
}

export function showRows(rows, task, { answer, sure, list, more }) {
  [answer.textContent, sure.textContent] = head(rows, task);
  list.replaceChildren();
  const fill = (part) => {
    for (const { name, value, colour } of part) {
      const row = make("li", "bar", list);
      row.classList.toggle("best", list.children.length === 1 && task !== "detection");
      make("span", "class", row, name).title = name;
      const bar = make("span", "fill", make("span", "track", row));
      bar.style.width = percent(Math.min(1, Math.max(0, value))).replace(" ", "");
      if (colour) bar.style.background = colour;
      make("span", "number", row, percent(value));
    }
  };
  fill(rows.slice(0, FEW));
  more.hidden = rows.length <= FEW;
  more.textContent = `Show all ${rows.length}`;
  more.onclick = () => { more.hidden = true; fill(rows.slice(FEW)); };
}
