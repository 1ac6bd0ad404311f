"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const root = document.documentElement;

  // Theme: the system's, until the reader chooses.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const remember = (value) => { try { localStorage.setItem("edgerig-theme", value); } catch { /* private mode */ } };
  const recall = () => { try { return localStorage.getItem("edgerig-theme"); } catch { return null; } };
  const label = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  if (["light", "dark"].includes(recall())) root.dataset.theme = recall();
  button.hidden = false;
  label();
  dark.addEventListener("change", label);
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
    label();
  });

  // Tooltips: titles become tips that show at once, also on focus and on touch.
  const tip = document.getElementById("tip");
  for (const element of all("[title]")) {
    element.dataset.tip = element.title;
    element.removeAttribute("title");
  }
  for (const table of all("[data-heat]")) {
    const names = all("thead th", table).map((th) => th.textContent);
    for (const row of all("tbody tr", table)) {
      const cells = all("td", row);
      const total = cells.reduce((sum, td) => sum + Number(td.textContent), 0);
      cells.forEach((td, column) => {
        const count = Number(td.textContent);
        const share = total ? ` (${(100 * count / total).toFixed(1)} %)` : "";
        td.dataset.tip = `${row.cells[0].textContent} ${table.dataset.heat} ${names[column]}\n${count} of ${total}${share}`;
      });
    }
  }
  const hide = () => { tip.hidden = true; };
  const show = (element, x, y) => {
    tip.textContent = element.dataset.tip;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(12, Math.min(x + 12, innerWidth - box.width - 12))}px`;
    tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 12) : y + 18}px`;
  };
  const tipped = (event) => event.target instanceof Element && event.target.closest("[data-tip]");
  document.addEventListener("pointermove", (event) => {
    const element = tipped(event);
    if (element && element.dataset.tip) show(element, event.clientX, event.clientY);
    else hide();
  });
  document.addEventListener("focusin", (event) => {
    const element = tipped(event);
    if (!element || !element.matches(":focus-visible")) return;
    const box = element.getBoundingClientRect();
    show(element, box.left, box.bottom - 10);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, { passive: true, capture: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.addEventListener("click", (event) => {
    const element = tipped(event);
    if (element && !element.closest("a, summary")) show(element, event.clientX, event.clientY);
  });

  // Sorting: by number where a cell has one; what is unavailable stays last. Times that were not measured stay below
  // those that were, each kind for itself: they are not ranked against each other.
  const kinds = ["emulated", "modelled", "estimated"];
  const rank = (row, column) => key(row, column) === null ? kinds.length : kinds.indexOf(row.cells[column].dataset.kind);
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    return cell.classList.contains("n") ? null : cell.textContent.trim();
  };
  const compare = (a, b, up) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
    return up ? order : -order;
  };
  for (const table of all("table.sortable")) {
    const heads = all("thead th", table);
    heads.forEach((th, column) => {
      if ("nosort" in th.dataset) return;
      const sorter = document.createElement("button");
      sorter.type = "button";
      sorter.append(...th.childNodes);
      th.append(sorter);
      sorter.addEventListener("click", () => {
        const up = th.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        th.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        body.append(...[...body.rows].sort((a, b) =>
          rank(a, column) - rank(b, column) || compare(key(a, column), key(b, column), up)));
      });
    });
  }

  // Tabs: made of the stacked panels, arrow keys move between them.
  all(".panels").forEach((panels, group) => {
    const parts = all(":scope > .panel", panels);
    const bar = document.createElement("div");
    bar.className = "tabs";
    bar.setAttribute("role", "tablist");
    bar.setAttribute("aria-label", "Parts of this variant");
    const tabs = parts.map((panel, index) => {
      const tab = document.createElement("button");
      tab.type = "button";
      tab.id = `t${group}-${index}`;
      tab.textContent = panel.dataset.tab;
      tab.setAttribute("role", "tab");
      panel.id = `p${group}-${index}`;
      tab.setAttribute("aria-controls", panel.id);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      return tab;
    });
    const choose = (chosen) => tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", String(index === chosen));
      tab.tabIndex = index === chosen ? 0 : -1;
      parts[index].hidden = index !== chosen;
    });
    tabs.forEach((tab, index) => {
      tab.addEventListener("click", () => choose(index));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        const next = event.key === "Home" ? 0 : event.key === "End" ? tabs.length - 1 : step ? (index + step + tabs.length) % tabs.length : -1;
        if (next < 0) return;
        event.preventDefault();
        choose(next);
        tabs[next].focus();
      });
    });
    bar.append(...tabs);
    panels.prepend(bar);
    panels.classList.add("tabbed");
    choose(0);
  });

  // Links into closed sections open them; printing opens everything.
  const sections = all("details");
  const openTarget = (hash) => {
    const target = hash && document.getElementById(hash.slice(1));
    if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", () => openTarget(location.hash));
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest("a[href^='#']");
    if (link) openTarget(link.getAttribute("href"));
  });
  openTarget(location.hash);
  let wasOpen = [];
  addEventListener("beforeprint", () => { wasOpen = sections.map((s) => s.open); sections.forEach((s) => { s.open = true; }); });
  addEventListener("afterprint", () => sections.forEach((s, index) => { s.open = wasOpen[index]; }));
  const expand = document.getElementById("expand");
  expand.hidden = false;
  expand.addEventListener("click", () => {
    const open = expand.textContent === "Open all";
    sections.forEach((s) => { s.open = open; });
    expand.textContent = open ? "Close all" : "Open all";
  });

  // Commands can be copied where the browser lets a file do so.
  if (navigator.clipboard) for (const code of all(".code")) {
    const copy = document.createElement("button");
    copy.type = "button";
    copy.textContent = "Copy";
    copy.addEventListener("click", () => navigator.clipboard.writeText(code.querySelector("code").textContent.trim())
      .then(() => { copy.textContent = "Copied"; setTimeout(() => { copy.textContent = "Copy"; }, 1500); }, () => { copy.hidden = true; }));
    code.append(copy);
  }
})();
