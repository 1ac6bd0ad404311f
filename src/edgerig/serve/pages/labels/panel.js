// Classes, and the shapes of the picture.

const make = (tag, properties, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

export class Panel {
  // `app` has klass, choose(name), document, select(id), act(operation), view.
  constructor(by, app) {
    Object.assign(this, { by, app });
    by("shapes").addEventListener("click", (event) => this.clicked(event));
    by("whole").addEventListener("change", ({ target }) => app.classify(target.value || null));
  }

  setClasses(classes) {
    this.by("classes").replaceChildren(...classes.map(({ name, colour }, index) => {
      const swatch = make("span", { className: "swatch" });
      swatch.style.background = colour;
      const key = index < 9 ? [make("kbd", { textContent: index + 1 })] : [];
      const button = make("button", { type: "button", title: name }, swatch, make("span", { textContent: name }), ...key);
      button.setAttribute("role", "radio");
      button.dataset.name = name;
      button.addEventListener("click", () => this.app.choose(name));
      return button;
    }));
    this.by("whole").replaceChildren(new Option("no class", ""), ...classes.map(({ name }) => new Option(name, name)));
    this.drawClass();
  }

  drawClass() {
    for (const button of this.by("classes").children) {
      button.setAttribute("aria-checked", String(button.dataset.name === this.app.klass));
    }
  }

  clicked(event) {
    const id = event.target.closest("li")?.dataset.id, remove = event.target.closest(".remove");
    if (!id) return;
    if (remove) this.app.act({ kind: "delete", shape: id });
    else if (event.target.closest(".accept")) this.app.act({ kind: "accept", shapes: [id] });
    else this.app.select(id === this.app.view.selected ? null : id);
  }

  draw() {
    const labels = [...(this.app.document?.labels.values() ?? [])].filter((label) => this.app.visible(label));
    this.by("count").textContent = labels.length || "";
    this.by("shapes").replaceChildren(...labels.slice(0, 500).map((label) => this.row(label)));
    const { document } = this.app;
    this.by("whole").value = document?.label ?? "";
    this.by("whole").classList.toggle("proposed", Boolean(document?.labelModel));
    this.drawProposal(labels);
  }

  row({ shape, model, score, by }) {
    const swatch = make("span", { className: "swatch" });
    swatch.style.background = this.app.colourOf(shape.label);
    const about = model ? `${model}${score ? ` ${Math.round(100 * score)} %` : ""}` : by;
    const select = make(
      "button", { type: "button", className: "shape" }, swatch, make("span", { textContent: shape.label }),
      make("span", { className: "detail", textContent: [shape.type, about].filter(Boolean).join(" · ") }),
    );
    select.setAttribute("aria-pressed", String(shape.id === this.app.view.selected));
    const item = make("li", { className: model ? "proposed" : "" }, select);
    if (model) item.append(make("button", { type: "button", className: "small accept", textContent: "✓", title: "Accept" }));
    item.append(make("button", { type: "button", className: "small remove", textContent: "✕", title: "Remove" }));
    for (const button of item.querySelectorAll(".small")) button.setAttribute("aria-label", `${button.title} ${shape.label}`);
    item.dataset.id = shape.id;
    return item;
  }

  drawProposal(labels) {
    const open = labels.filter((label) => label.model), { labelModel, label } = this.app.document ?? {};
    this.by("proposal").hidden = !open.length && !labelModel;
    const parts = [
      open.length ? `${open.length} shape${open.length > 1 ? "s" : ""}` : "", labelModel ? `the class ${label}` : "",
    ];
    const model = labelModel || open[0]?.model;
    this.by("proposal-text").textContent = `${model} proposes ${parts.filter(Boolean).join(" and ")}.`;
  }
}
