(() => {
  // On a narrow page a table that does not fit becomes a block for each row, its figures named one under the other.
  // Only what really does not fit: a table of three columns is read better as it is. Without scripts it scrolls.
  const narrow = matchMedia("(max-width: 620px)");

  function label(table) {
    const labels = [...table.tHead.rows].at(-1).cells;
    for (const row of table.tBodies[0].rows) {
      if (row.cells.length === labels.length) [...row.cells].forEach((cell, column) => {
        cell.dataset.label ??= labels[column].dataset.label ?? labels[column].textContent.trim();
      });
    }
    table.dataset.labelled = "";
    // Names with a variant's in them are long.
    table.classList.toggle("long", table.tHead.rows.length > 1);
  }

  function fit(scroll, table) {
    table.classList.remove("stacks");
    if (!narrow.matches || scroll.scrollWidth <= scroll.clientWidth + 1) return;
    if (table.dataset.labelled === undefined) label(table);
    table.classList.add("stacks");
  }

  const widths = new WeakMap();
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      // Its height changes by what is done here.
      if (widths.get(target) === target.clientWidth) continue;
      widths.set(target, target.clientWidth);
      fit(target, target.querySelector("table"));
    }
  });
  for (const table of document.querySelectorAll(".scroll > table.data:not(.main, .runs)")) {
    if (table.tHead?.rows.length && table.tBodies.length === 1) observer.observe(table.parentElement);
  }
})();
