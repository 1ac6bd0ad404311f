// Masks of pixels, painted by strokes. serve/labels/raster.py follows the same rule, pixel by pixel; it is told there.

export const TILE = 256;
// Positions of the pen that are stamped at once.
const BATCH = 512;

// Half the width of the pen's disc in each of its rows, without the pixel in the middle.
export function halfWidths(radius) {
  const limit = radius * (radius + 1), halves = new Int32Array(2 * radius + 1);
  for (let row = -radius; row <= radius; row++) {
    let half = Math.floor(Math.sqrt(limit - row * row));
    while (half * half > limit - row * row) half--;
    while ((half + 1) * (half + 1) <= limit - row * row) half++;
    halves[row + radius] = half;
  }
  return halves;
}

// Calls step(x, y) for each pixel of Bresenham's line, both ends included.
function line(x, y, endX, endY, step) {
  const across = Math.abs(endX - x), down = -Math.abs(endY - y);
  const right = x < endX ? 1 : -1, below = y < endY ? 1 : -1;
  let error = across + down;
  step(x, y);
  while (x !== endX || y !== endY) {
    const twice = 2 * error;
    if (twice >= down) { error += down; x += right; }
    if (twice <= across) { error += across; y += below; }
    step(x, y);
  }
}

// Calls emit(y, from, to) for the spans of a stroke, `to` excluded, within `clip` = [left, top, right, bottom].
export function strokeSpans(points, radius, clip, emit) {
  const halves = halfWidths(radius), pen = [], last = Math.max(2, points.length - 2);
  for (let index = 0; index < last; index += 2) {
    const x = points[index], y = points[index + 1];
    line(x, y, points[index + 2] ?? x, points[index + 3] ?? y, (atX, atY) => pen.push(atX, atY));
    if (pen.length >= 2 * BATCH || index + 2 >= last) discSpans(pen.splice(0), radius, halves, clip, emit);
  }
}

// The same of the discs at these pixels: sums over where rows of discs begin (+1) and end (-1).
function discSpans(pen, radius, halves, clip, emit) {
  const box = boundsOf(pen, radius);
  const [left, top] = [Math.max(box[0], clip[0]), Math.max(box[1], clip[1])];
  const width = Math.min(box[2], clip[2]) - left, height = Math.min(box[3], clip[3]) - top;
  if (width <= 0 || height <= 0) return;
  const steps = new Int32Array((width + 1) * height);
  for (let index = 0; index < pen.length; index += 2) {
    const x = pen[index] - left, first = pen[index + 1] - radius - top;
    for (let row = Math.max(0, -first); row <= 2 * radius && first + row < height; row++) {
      const from = Math.max(0, x - halves[row]), to = Math.min(width, x + halves[row] + 1);
      if (from >= to) continue;
      steps[(first + row) * (width + 1) + from]++;
      steps[(first + row) * (width + 1) + to]--;
    }
  }
  for (let row = 0; row < height; row++) {
    let sum = 0, from = 0;
    for (let column = 0, at = row * (width + 1); column <= width; column++, at++) {
      const before = sum;
      sum += steps[at];
      if (before === 0 && sum > 0) from = column;
      else if (before > 0 && sum === 0) emit(top + row, left + from, left + column);
    }
  }
}

// Calls emit(y, from, to) for the spans within an outline, its corners those of pixels, by the even-odd rule.
export function fillSpans(points, clip, emit) {
  const crossings = new Map();
  for (let index = 0; index < points.length; index += 2) {
    let [x, y] = [points[index], points[index + 1]];
    let [endX, endY] = [points[(index + 2) % points.length], points[(index + 3) % points.length]];
    if (y > endY) [x, y, endX, endY] = [endX, endY, x, y];
    const down = endY - y;
    for (let row = Math.max(y, clip[1]); row < Math.min(endY, clip[3]); row++) {
      const crossing = 2 * x * down + (2 * row + 1 - 2 * y) * (endX - x);
      if (!crossings.has(row)) crossings.set(row, []);
      crossings.get(row).push(Math.floor((crossing - down) / (2 * down)) + 1);
    }
  }
  for (const [row, columns] of crossings) {
    columns.sort((a, b) => a - b);
    for (let index = 0; index < columns.length; index += 2) {
      const from = Math.max(columns[index], clip[0]), to = Math.min(columns[index + 1], clip[2]);
      if (from < to) emit(row, from, to);
    }
  }
}

// The rectangle that a stroke, or with a radius of 0 an outline, may touch.
export function boundsOf(points, radius) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let index = 0; index < points.length; index += 2) {
    box[0] = Math.min(box[0], points[index] - radius);
    box[1] = Math.min(box[1], points[index + 1] - radius);
    box[2] = Math.max(box[2], points[index] + radius + 1);
    box[3] = Math.max(box[3], points[index + 1] + radius + 1);
  }
  return box;
}

// Calls emit(y, from, to) for runs (start, length, start, length, ..) of a picture, row by row, within `clip`.
export function runSpans(runs, width, clip, emit) {
  for (let index = 0; index < runs.length; index += 2) {
    let at = runs[index];
    const end = at + runs[index + 1];
    while (at < end) {
      const y = Math.floor(at / width), stop = Math.min(end, (y + 1) * width);
      const from = Math.max(at - y * width, clip[0]), to = Math.min(stop - y * width, clip[2]);
      if (y >= clip[1] && y < clip[3] && from < to) emit(y, from, to);
      at = stop;
    }
  }
}

// The masks of one picture, each in tiles; `dirty` holds the keys of tiles that have changed.
export class Canvas {
  constructor(width, height) {
    Object.assign(this, { width, height, masks: new Map(), dirty: new Set() });
    this.columns = Math.ceil(width / TILE);
    this.whole = [0, 0, width, height];
  }

  // ---- spans: all within the picture

  each(y, from, to, use) {
    const row = Math.floor(y / TILE) * this.columns, line = (y % TILE) * TILE;
    for (let x = from; x < to;) {
      const column = Math.floor(x / TILE), stop = Math.min(to, (column + 1) * TILE);
      use(row + column, line + x - column * TILE, line + stop - column * TILE);
      x = stop;
    }
  }

  tiles(name) {
    if (!this.masks.has(name)) this.masks.set(name, new Map());
    return this.masks.get(name);
  }

  // Adds pixels to a mask, and takes them from all others.
  paint(name, y, from, to) {
    const own = this.tiles(name);
    this.each(y, from, to, (key, start, end) => {
      for (const tiles of this.masks.values()) if (tiles !== own) tiles.get(key)?.fill(0, start, end);
      this.fill(own, key, start, end);
    });
  }

  // Adds pixels to a mask, whatever others have there.
  add(name, y, from, to) {
    const own = this.tiles(name);
    this.each(y, from, to, (key, start, end) => this.fill(own, key, start, end));
  }

  // Adds those of the pixels that no mask has.
  addFree(name, y, from, to) {
    const own = this.tiles(name);
    this.each(y, from, to, (key, start, end) => {
      const others = [...this.masks.values()].map((tiles) => tiles.get(key)).filter(Boolean);
      let begin = start;
      for (let at = start; at <= end; at++) {
        if (at < end && !others.some((tile) => tile[at])) continue;
        if (begin < at) this.fill(own, key, begin, at);
        begin = at + 1;
      }
    });
  }

  fill(tiles, key, start, end) {
    if (!tiles.has(key)) tiles.set(key, new Uint8Array(TILE * TILE));
    tiles.get(key).fill(1, start, end);
    this.dirty.add(key);
  }

  // Takes pixels from a mask, or from all of them where `name` is empty.
  erase(name, y, from, to) {
    const masks = name ? [this.masks.get(name)] : [...this.masks.values()];
    this.each(y, from, to, (key, start, end) => {
      for (const tiles of masks) tiles?.get(key)?.fill(0, start, end);
      this.dirty.add(key);
    });
  }

  // ---- whole masks

  clear(name, clip = this.whole) {
    if (!this.masks.has(name)) return;
    for (let y = clip[1]; y < clip[3]; y++) if (clip[0] < clip[2]) this.erase(name, y, clip[0], clip[2]);
    if (clip === this.whole) this.masks.delete(name);
  }

  clearAll(clip) {
    if (clip === this.whole) {
      for (const tiles of this.masks.values()) for (const key of tiles.keys()) this.dirty.add(key);
      this.masks.clear();
      return;
    }
    for (const name of [...this.masks.keys()]) this.clear(name, clip);
  }

  has(name, x, y) {
    const tile = this.masks.get(name)?.get(Math.floor(y / TILE) * this.columns + Math.floor(x / TILE));
    return Boolean(tile?.[(y % TILE) * TILE + (x % TILE)]);
  }

  // Number of pixels of a mask.
  area(name) {
    let sum = 0;
    for (const tile of this.masks.get(name)?.values() ?? []) for (const value of tile) sum += value;
    return sum;
  }

  // Starts and lengths of the runs of a mask, row by row.
  runs(name) {
    const tiles = this.masks.get(name) ?? new Map(), runs = [];
    let start = -1;
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) {
        const at = y * this.width + x;
        const tile = tiles.get(Math.floor(y / TILE) * this.columns + (x >> 8));
        const set = tile !== undefined && tile[(y % TILE) * TILE + (x % TILE)] === 1;
        if (set && start < 0) start = at;
        if (!set && start >= 0) { runs.push(start, at - start); start = -1; }
      }
    }
    if (start >= 0) runs.push(start, this.width * this.height - start);
    return runs;
  }
}
