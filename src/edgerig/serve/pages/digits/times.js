// Times as people read them.

// Seconds with three figures.
export function duration(seconds) {
  for (const [unit, factor] of [["s", 1], ["ms", 1e3], ["µs", 1e6]]) {
    if (seconds * factor >= 0.9995 || unit === "µs") return `${Number((seconds * factor).toPrecision(3))} ${unit}`;
  }
}

// A time of the network with what may not be left out: that it is modelled, and how far the model can be off.
export function timeText(time) {
  if (time.is === "unavailable") return `no time: ${time.reason}`;
  const band = time.low === null ? "" : `, ${duration(time.low)} to ${duration(time.high)}`;
  return time.kind === "measured" ? duration(time.value) : `${duration(time.value)}, ${time.kind}${band}`;
}
