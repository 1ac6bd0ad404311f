// The list of pictures with their states, and what of it is shown.

export const STATES = {
  unlabelled: "unlabelled", prefilled: "prefilled", begun: "begun", done: "done", doubtful: "doubtful",
};
const FILTERS = { all: "All pictures", open: "Not done", ...STATES, problem: "Not readable", uncommitted: "Not committed" };
// Rows at once: more are shown as they are scrolled to; and milliseconds after which news are.
const ROWS = 300, SOON = 100;

export class List {
  // chosen(name) is called when somebody chooses a picture; me() is this person's name.
  constructor(by, chosen, me) {
    Object.assign(this, { by, chosen, me, pictures: new Map(), current: "", rows: new Map(), limit: ROWS, stale: false, timer: null });
    for (const [value, text] of Object.entries(FILTERS)) by("filter").append(new Option(text, value));
    for (const name of ["filter", "search"]) by(name).addEventListener("input", () => { this.limit = ROWS; this.draw(); });
    by("list").addEventListener("click", (event) => {
      const row = event.target.closest("button");
      if (row) chosen(row.dataset.name);
    });
    // One stop for Tab, however many pictures there are: arrows go through them.
    by("list").addEventListener("keydown", (event) => {
      const rows = [...this.rows.values()], at = rows.indexOf(event.target);
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
      if (at < 0 || to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      this.stop(rows[Math.max(0, Math.min(to, rows.length - 1))]).focus();
    });
    by("list").addEventListener("scroll", ({ target }) => {
      if (target.scrollTop + target.clientHeight < target.scrollHeight - 200 || this.limit >= this.pictures.size) return;
      this.limit += ROWS;
      this.draw();
    });
  }

  set(pictures) {
    this.pictures = new Map(pictures.map((picture) => [picture.name, picture]));
    this.draw();
  }

  update(picture) {
    this.pictures.set(picture.name, picture);
    const row = this.rows.get(picture.name), shows = this.shows(picture);
    if (row) this.fill(row, picture);
    // News may come for thousands of pictures at once.
    this.stale ||= row ? !shows : shows && this.rows.size < this.limit;
    this.timer ??= setTimeout(() => {
      if (this.stale) this.draw(); else this.count();
    }, SOON);
  }

  shows(picture) {
    const filter = this.by("filter").value, text = this.by("search").value.trim().toLowerCase();
    if (picture.name === this.current) return true;
    if (text && !`${picture.name} ${picture.label ?? ""}`.toLowerCase().includes(text)) return false;
    if (filter === "open") return picture.state !== "done" && !picture.problem;
    if (filter === "problem") return Boolean(picture.problem);
    if (filter === "uncommitted") return picture.uncommitted;
    return filter === "all" || picture.state === filter;
  }

  names() { return [...this.pictures.values()].filter((picture) => this.shows(picture)).map((picture) => picture.name); }

  // The next picture that is shown, or with -1 the one before; the current one at the end.
  step(by) {
    const names = this.names(), at = names.indexOf(this.current);
    return names[at + by] ?? this.current;
  }

  show(name) {
    this.current = name;
    this.draw();
    this.rows.get(name)?.scrollIntoView({ block: "nearest" });
  }

  // Makes a row the one that Tab goes to.
  stop(row) {
    for (const other of this.rows.values()) other.tabIndex = other === row ? 0 : -1;
    return row;
  }

  draw() {
    const focused = this.by("list").contains(document.activeElement) ? document.activeElement.dataset.name : "";
    this.stale = false;
    const names = this.names();
    while (names.indexOf(this.current) >= this.limit) this.limit += ROWS;
    this.rows.clear();
    this.by("list").replaceChildren(...names.slice(0, this.limit).map((name) => {
      const row = Object.assign(document.createElement("button"), { type: "button" });
      row.dataset.name = name;
      this.rows.set(name, row);
      this.fill(row, this.pictures.get(name));
      const item = document.createElement("li");
      item.append(row);
      return item;
    }));
    const kept = focused === this.current ? undefined : this.rows.get(focused);
    this.stop(kept ?? this.rows.get(this.current) ?? this.rows.values().next().value);
    kept?.focus({ preventScroll: true });
    this.count();
  }

  fill(row, picture) {
    const state = picture.problem ? "problem" : picture.state;
    row.dataset.state = state;
    row.title = picture.problem || picture.name;
    if (picture.name === this.current) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
    const span = (className, text) => Object.assign(document.createElement("span"), { className, textContent: text });
    const detail = [picture.problem ? "not readable" : STATES[state], picture.label, picture.uncommitted ? "not committed" : ""];
    const others = this.others(picture), people = others.length ? [span("people", others.join(", "))] : [];
    row.replaceChildren(
      span("dot", ""), span("picture-name", picture.name), span("detail", detail.filter(Boolean).join(" · ")), ...people,
    );
  }

  // Who else looks at a picture.
  others({ name, people }) {
    const own = name === this.current ? people.indexOf(this.me()) : -1;
    return people.filter((_, index) => index !== own);
  }

  count() {
    clearTimeout(this.timer);
    this.timer = null;
    const all = [...this.pictures.values()], done = all.filter((picture) => picture.state === "done").length;
    this.by("progress").textContent = `${done} of ${all.length} done`;
    const open = all.filter((picture) => picture.uncommitted).length;
    this.by("uncommitted").textContent = open || "";
  }
}
