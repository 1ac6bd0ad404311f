// From strokes of a pen to the 28x28 picture that a network of MNIST sees: the arithmetic of serve/drawing.py, where it
// is explained. A test holds both to equal pictures.

export const CANVAS = 250, SIDE = 28, PEN = 24;
const BOX = 20, CENTRE = 14.5, LARGEST_SCALE = 8;

const clip = (value, low, high) => Math.max(low, Math.min(value, high));

// Strokes moved and scaled so that their ink fills MNIST's box in the middle of the paper.
export function fitted(strokes, pen = PEN) {
  let left = Infinity, right = -Infinity, top = Infinity, bottom = -Infinity;
  for (const stroke of strokes) {
    for (const [x, y] of stroke) {
      left = Math.min(left, x); right = Math.max(right, x);
      top = Math.min(top, y); bottom = Math.max(bottom, y);
    }
  }
  if (left === Infinity) return [];
  const longest = Math.max(right - left, bottom - top), room = BOX * CANVAS / SIDE - pen;
  const scale = longest * LARGEST_SCALE <= room ? LARGEST_SCALE : room / longest;
  const x0 = (left + right) / 2, y0 = (top + bottom) / 2, middle = CANVAS / 2;
  return strokes.map((stroke) => stroke.map(([x, y]) => [middle + (x - x0) * scale, middle + (y - y0) * scale]));
}

export const blankPaper = () => new Uint8Array(CANVAS * CANVAS);

// A straight line with round ends onto the paper: 0 is white, 255 is black.
export function drawLine(paper, [x0, y0], [x1, y1], pen = PEN) {
  const reach = pen / 2 + 1;
  const left = Math.max(0, Math.floor(Math.min(x0, x1) - reach));
  const right = Math.min(CANVAS, Math.ceil(Math.max(x0, x1) + reach));
  const top = Math.max(0, Math.floor(Math.min(y0, y1) - reach));
  const bottom = Math.min(CANVAS, Math.ceil(Math.max(y0, y1) + reach));
  const dx = x1 - x0, dy = y1 - y0, square = dx * dx + dy * dy;
  for (let row = top; row < bottom; row++) {
    const py = row + 0.5 - y0;
    for (let column = left; column < right; column++) {
      const px = column + 0.5 - x0;
      const along = square > 0 ? clip((px * dx + py * dy) / square, 0, 1) : 0;
      const rx = px - along * dx, ry = py - along * dy;
      const cover = clip(pen / 2 + 0.5 - Math.sqrt(rx * rx + ry * ry), 0, 1);
      const value = Math.floor(cover * 255 + 0.5), index = row * CANVAS + column;
      if (value > paper[index]) paper[index] = value;
    }
  }
}

export function ink(strokes, pen = PEN) {
  const paper = blankPaper();
  for (const stroke of strokes) {
    stroke.forEach((point, index) => drawLine(paper, stroke[Math.max(0, index - 1)], point, pen));
  }
  return paper;
}

// The paper averaged over the area of each of 28x28 pixels, after a shift right and down in 28ths of its pixels.
export function shrunk(paper, [right, down] = [0, 0]) {
  const sums = new Float64Array(SIDE * SIDE), rows = overlaps(down), columns = overlaps(right);
  for (let y = 0; y < CANVAS; y++) {
    for (let x = 0; x < CANVAS; x++) {
      const value = paper[y * CANVAS + x];
      if (!value) continue;
      for (const [row, height] of rows[y]) {
        for (const [column, width] of columns[x]) sums[row * SIDE + column] += value * height * width;
      }
    }
  }
  const area = CANVAS * CANVAS;
  return Uint8Array.from(sums, (sum) => Math.floor((2 * sum + area) / (2 * area)));
}

// For each pixel of the paper the pixels of the picture on which it lies, and how much of it.
function overlaps(shift) {
  return Array.from({ length: CANVAS }, (_, pixel) => {
    const start = pixel * SIDE + shift, end = start + SIDE, result = [];
    for (let index = Math.floor(start / CANVAS); index * CANVAS < end; index++) {
      const share = Math.min(end, (index + 1) * CANVAS) - Math.max(start, index * CANVAS);
      if (index >= 0 && index < SIDE && share > 0) result.push([index, share]);
    }
    return result;
  });
}

// The shift that brings the centre of mass to where MNIST has it, and no ink out of the picture.
export function massShift(paper) {
  const columns = new Float64Array(CANVAS), rows = new Float64Array(CANVAS);
  paper.forEach((value, index) => {
    columns[index % CANVAS] += value;
    rows[Math.floor(index / CANVAS)] += value;
  });
  return [shiftOf(columns), shiftOf(rows)];
}

function shiftOf(profile) {
  let first = -1, last = -1, mass = 0, moment = 0;
  profile.forEach((value, index) => {
    if (!value) return;
    if (first < 0) first = index;
    last = index; mass += value; moment += value * (2 * index + 1);
  });
  if (first < 0) return 0;
  const wanted = Math.floor(CENTRE * CANVAS - SIDE * moment / (2 * mass) + 0.5);
  return Math.max(-SIDE * first, Math.min(wanted, SIDE * (CANVAS - 1 - last)));
}

// What the network sees: 28x28 bytes, 255 is ink.
export function picture(strokes, { centred = true, pen = PEN } = {}) {
  const drawn = strokes.filter((stroke) => stroke.length);
  if (!centred) return shrunk(ink(drawn, pen));
  const paper = ink(fitted(drawn, pen), pen);
  return shrunk(paper, massShift(paper));
}
