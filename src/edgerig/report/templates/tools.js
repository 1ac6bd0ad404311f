"use strict";
// What a reader does with the page: filter and choose columns, take tables and charts along, set two variants side by
// side. Everything is made here from what the page shows; without script the page is whole, only without these.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const button = (text, label, action) => {
    const element = make("button", { type: "button", className: "tool", textContent: text });
    element.setAttribute("aria-label", label);
    element.addEventListener("click", action);
    return element;
  };
  const save = (name, type, text) => {
    const url = URL.createObjectURL(new Blob([text], { type }));
    make("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  };
  const words = (node) => node.textContent.replace(/\s+/g, " ").trim();
  const stem = document.title.split(" · ")[0].replace(/[^\w.-]+/g, "-");

  // Columns and rows of the table of variants.
  const main = document.querySelector("table.main");
  const frame = main.closest(".scroll");
  const heads = all("thead th", main);
  const showColumn = (index, shown) => {
    for (const row of main.rows) row.cells[index].hidden = !shown;
  };
  const menu = make("div", { className: "menu", hidden: true });
  heads.forEach((th, index) => {
    if (index === 0) return;
    const box = make("input", { type: "checkbox", checked: !("off" in th.dataset) });
    box.addEventListener("change", () => showColumn(index, box.checked));
    showColumn(index, box.checked);
    menu.append(make("label", {}, box, " ", th.dataset.label));
  });
  const choose = button("Columns", "Choose columns", () => {
    menu.hidden = !menu.hidden;
    choose.setAttribute("aria-expanded", String(!menu.hidden));
  });
  choose.setAttribute("aria-expanded", "false");
  const count = make("span", { className: "muted" });
  count.setAttribute("role", "status");
  const filter = make("input", { type: "search", placeholder: "Filter variants", className: "filter" });
  filter.setAttribute("aria-label", "Filter variants by words");
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...main.tBodies[0].rows];
    for (const row of rows) row.hidden = !wanted.every((word) => words(row).toLowerCase().includes(word));
    count.textContent = wanted.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
  });
  frame.before(make("div", { className: "tools" }, filter, count, make("span", { className: "chooser" }, choose, menu)));

  // Tables as CSV: the numbers behind what is shown, with their kinds and intervals.
  const quoted = (text) => {
    const plain = /^[=+\-@]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  const name = (cell) => {
    const link = cell.querySelector("a"), sub = cell.querySelector(".sub");
    return link ? [words(link), ...(sub ? [words(sub)] : [])].join(" · ") : words(cell);
  };
  const value = (cell) => {
    if (cell.dataset.v !== undefined) return cell.dataset.v;
    if (cell.querySelector(".none") || words(cell) === "–") return "";
    // A matrix leaves out its zeros.
    if (cell.tagName === "TD" && cell.closest(".heat") && !words(cell)) return "0";
    return cell.tagName === "TH" ? name(cell) : words(cell);
  };
  const csv = (table) => {
    const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
    const columns = [];
    [...[...table.tHead.rows].at(-1).cells].forEach((th, index) => {
      if (th.hidden || th.classList.contains("bar")) return;
      const cells = rows.map((row) => row.cells[index]);
      const label = th.dataset.label ?? words(th);
      const unit = th.dataset.unit ? ` (${th.dataset.unit})` : "";
      const part = (cell, selector) => words(cell.querySelector(selector) ?? document.createElement("i"));
      columns.push([label + unit, ...cells.map(value)]);
      if (cells.some((cell) => cell.querySelector(".ci")))
        columns.push([`${label} interval`, ...cells.map((cell) => part(cell, ".ci"))]);
      if (cells.some((cell) => cell.querySelector(".badge")))
        columns.push([`${label} kind`, ...cells.map((cell) => cell.dataset.v === undefined ? "" : part(cell, ".badge") || "measured")]);
      if (cells.some((cell) => cell.querySelector(".none")))
        columns.push([`${label} unavailable because`,
          ...cells.map((cell) => (cell.querySelector(".none")?.dataset.tip ?? "").replace(/^unavailable: /, ""))]);
    });
    return columns[0].map((_, row) => columns.map((column) => quoted(column[row])).join(",")).join("\n") + "\n";
  };
  const owner = (element) => {
    const details = element.closest("details.variant[id]");
    return details ? `-${details.id}` : "";
  };
  const addCsv = (table) => {
    const file = `${stem}${owner(table)}-${table.dataset.name.replace(/[^\w.-]+/g, "-")}.csv`;
    const scroll = table.closest(".scroll");
    const tool = button("CSV", `Save as CSV: ${words(table.caption)}`, () => save(file, "text/csv", csv(table)));
    const below = make("div", { className: "tools below" }, tool);
    if (scroll.parentElement.tagName === "SECTION") { scroll.after(below); return; }
    // In a grid the table and its button are one item.
    const item = make("div");
    scroll.replaceWith(item);
    item.append(scroll, below);
  };
  all("table[data-name]").filter((table) => table.tBodies[0].rows.length).forEach(addCsv);

  // Charts as SVG files of their own: with the colours that they have here, whatever shows them later.
  const PROPERTIES = [
    "fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap",
    "stroke-linejoin", "font-size", "font-weight", "font-family", "text-anchor", "paint-order",
  ];
  const alone = (drawing) => {
    const copy = drawing.cloneNode(true);
    const copies = [copy, ...all("*", copy)], originals = [drawing, ...all("*", drawing)];
    copies.forEach((element, index) => {
      const style = getComputedStyle(originals[index]);
      for (const property of PROPERTIES) element.setAttribute(property, style.getPropertyValue(property));
      for (const attribute of ["class", "style", "data-tip", "href", "tabindex"]) element.removeAttribute(attribute);
    });
    const [, , width, height] = drawing.getAttribute("viewBox").split(" ");
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    ground.setAttribute("width", width);
    ground.setAttribute("height", height);
    ground.setAttribute("fill", getComputedStyle(document.documentElement).getPropertyValue("--surface").trim());
    copy.prepend(ground);
    return new XMLSerializer().serializeToString(copy);
  };
  for (const figure of all("figure")) {
    const drawings = all("svg.chart", figure);
    if (!drawings.length) continue;
    const title = words(figure.querySelector("h2, h5") ?? figure.querySelector("figcaption"));
    const file = `${stem}${owner(figure)}-${title.slice(0, 40).replace(/[^\w.-]+/g, "-").replace(/-+$/, "")}.svg`;
    figure.append(make("div", { className: "tools below" }, button("SVG", `Save as a picture: ${title}`, () => {
      const drawing = drawings.find((one) => one.checkVisibility()) ?? drawings[0];
      save(file, "image/svg+xml", alone(drawing));
    })));
  }

  // Two variants side by side: their figures, and their layers as the tables of layers pair them.
  const variants = [...main.tBodies[0].rows].map((row) => ({
    row, title: name(row.cells[0]), anchor: row.cells[0].querySelector("a").getAttribute("href").slice(1),
  }));
  const kind = (cell) => words(cell.querySelector(".badge") ?? document.createElement("i"));
  const ratio = (a, b) => {
    const [first, second] = [a, b].map((cell) => Number(cell?.dataset.v));
    if (!(first > 0) || !(second > 0) || kind(a) !== kind(b)) return "–";
    return `${(second / first).toPrecision(3)} times`;
  };
  const shownCell = (cell) => {
    const copy = cell ? cell.cloneNode(true) : make("td", { className: "n muted", textContent: "–" });
    copy.hidden = false;
    copy.removeAttribute("data-label");
    return copy;
  };
  const figuresOf = (a, b) => heads.slice(1).flatMap((th, index) => {
    const cells = [a, b].map((variant) => variant.row.cells[index + 1]);
    if (cells.every((cell) => cell.dataset.v === undefined && !cell.querySelector(".none"))) return [];
    const change = th.dataset.unit && !["1", "times"].includes(th.dataset.unit) ? ratio(...cells) : "";
    return [make("tr", {}, make("th", { scope: "row", textContent: th.dataset.label }), ...cells.map(shownCell),
      make("td", { className: "n", textContent: change }))];
  });
  // A row of a table of layers is one layer in all of its columns. No other row has a ratio: neither one of several
  // things, nor one that a variant has no number in, nor numbers of unlike kinds.
  const whyNot = (row, cells, titles) => {
    if ("apart" in row.dataset) return "operators of no known layer";
    const missing = cells.flatMap((cell, index) => {
      const none = cell.querySelector(".none");
      return none ? [`${titles[index]}: ${none.dataset.tip.replace(/^unavailable: /, "")}`] : [];
    });
    if (missing.length) return missing.join("; ");
    return kind(cells[0]) === kind(cells[1]) ? "no time" : "unlike kinds of number";
  };
  const layersOf = (variants) => {
    const reasons = variants.flatMap((variant) => {
      const reason = document.querySelector(`[data-unlayered="${CSS.escape(variant.anchor)}"]`);
      return reason ? [`${variant.title}: ${words(reason)}`] : [];
    });
    if (reasons.length) return { rows: [], reason: reasons.join("; ") };
    for (const table of all("table[data-name='layers-compared']")) {
      const columns = [...[...table.tHead.rows].at(-1).cells];
      const places = variants.map(({ anchor }) =>
        columns.findIndex((th) => th.dataset.of === anchor && words(th) === "time"));
      if (places.includes(-1)) continue;
      const rows = [...table.tBodies[0].rows].map((row) => ({ row, cells: places.map((index) => row.cells[index]) }));
      const timed = rows.filter(({ cells }) => cells.some((cell) => cell.dataset.v !== undefined));
      const rest = rows.filter((row) => !timed.includes(row) && !("apart" in row.row.dataset));
      return { rows: timed, untimed: rest.map(({ row }) => name(row.cells[0])) };
    }
    return { rows: [], reason: "they were not made from one network, or run batches of other sizes" };
  };
  const section = document.getElementById("pair");
  if (variants.length < 2) return;
  section.hidden = false;
  for (const link of all("a[href='#pair']")) link.hidden = false;
  const select = (label, chosen) => {
    const element = make("select", {}, ...variants.map((variant, index) =>
      make("option", { value: String(index), textContent: variant.title, selected: index === chosen })));
    element.setAttribute("aria-label", label);
    return element;
  };
  const starred = variants.findIndex((variant) => variant.row.classList.contains("chosen"));
  const selects = [select("First variant", 0), select("Second variant", starred > 0 ? starred : 1)];
  const place = make("div");
  const table = (title, titles, rows) => {
    const head = make("tr", {}, ...titles.map((text, index) =>
      Object.assign(make("th", { scope: "col", textContent: text, className: index ? "n" : "" }))));
    const element = make("table", { className: "data" }, make("caption", { textContent: title }),
      make("thead", {}, head), make("tbody", {}, ...rows));
    element.dataset.name = `pair-${title.toLowerCase()}`;
    return element;
  };
  const draw = () => {
    const [a, b] = selects.map((element) => variants[Number(element.value)]);
    const { rows, reason, untimed = [] } = layersOf([a, b]);
    const layers = rows.map(({ row, cells }) => {
      const change = "apart" in row.dataset ? "–" : ratio(...cells);
      const why = change === "–" ? [make("span", { className: "reason", textContent: whyNot(row, cells, ["first", "second"]) })] : [];
      return make("tr", {}, make("th", { scope: "row", textContent: name(row.cells[0]) }), ...cells.map(shownCell),
        make("td", { className: "n" }, change, " ", ...why));
    });
    const titles = ["", a.title, b.title, "second / first"];
    const tables = [table("Figures", titles, figuresOf(a, b))];
    if (layers.length) tables.push(table("Layers", ["layer", ...titles.slice(1)], layers));
    const notes = [
      ...(reason ? [`No layers are compared: ${reason}.`] : []),
      ...(untimed.length ? [`Without a time in either: ${untimed.join(", ")}. The table of layers says why.`] : []),
    ].map((textContent) => make("p", { className: "muted names", textContent }));
    const columns = tables.map((element) => make("div", {}, make("div", { className: "scroll" }, element)));
    place.replaceChildren(make("div", { className: "columns" }, ...columns), ...notes);
    all("table", place).forEach(addCsv);
  };
  selects.forEach((element) => element.addEventListener("change", draw));
  section.append(make("div", { className: "tools" }, selects[0], make("span", { textContent: "against" }), selects[1]), place);
  draw();
})();
