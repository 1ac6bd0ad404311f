// What the server says of itself, as text.
const number = (value) => value.toLocaleString("en");
const size = (bytes) => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

export function showStatus(figures, by) {
  const { source, frames } = figures;
  by("source").textContent = source.address;
  by("state").textContent = source.status + (source.reconnects ? `, came back ${number(source.reconnects)} times` : "");
  by("frames").textContent = `${number(frames.shown)} shown, ${number(frames.dropped)} dropped`;
  by("viewers").textContent = number(figures.viewers);
  by("recorded").hidden = figures.record === null;
  if (figures.record) {
    by("record").textContent = figures.record.message || `${number(figures.record.written)} pictures`;
  }
  by("kept").hidden = figures.keep === null;
  if (figures.keep) {
    const { stored, bytes, message } = figures.keep;
    by("keep").textContent = message || `${number(stored)} frames; the folder has ${size(bytes)}`;
  }
}
