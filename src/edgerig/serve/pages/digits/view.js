// What the network sees, and what it says.

import { SIDE } from "./drawing.js";

const make = (tag, classes, parent, text = "") => {
  const element = document.createElement(tag);
  element.className = classes;
  element.textContent = text;
  parent.append(element);
  return element;
};

// Paints 28x28 bytes, ink white as in MNIST.
export function showPicture(canvas, picture) {
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d"), pixels = context.createImageData(SIDE, SIDE);
  picture.forEach((value, index) => pixels.data.set([value, value, value, 255], 4 * index));
  context.putImageData(pixels, 0, 0);
}

// The ten outputs as bars in `list`. Outputs below 0 or above 1, of networks without softmax, widen the scale.
export class Bars {
  constructor(list) {
    this.rows = Array.from({ length: 10 }, (_, digit) => {
      const row = make("li", "bar", list);
      make("span", "digit", row, String(digit));
      const track = make("span", "track", row);
      return { row, fill: make("span", "fill", track), number: make("span", "number", row, "–") };
    });
  }

  show(outputs) {
    const low = Math.min(0, ...outputs), high = Math.max(1, ...outputs), best = outputs.indexOf(Math.max(...outputs));
    this.rows.forEach(({ row, fill, number }, digit) => {
      const value = outputs[digit], at = (real) => `${(100 * (real - low) / (high - low)).toFixed(2)}%`;
      fill.style.left = at(Math.min(0, value));
      fill.style.right = `calc(100% - ${at(Math.max(0, value))})`;
      number.textContent = value.toFixed(3);
      row.classList.toggle("best", digit === best);
    });
  }

  clear() {
    for (const { row, fill, number } of this.rows) {
      fill.style.left = "0"; fill.style.right = "100%";
      number.textContent = "–";
      row.classList.remove("best");
    }
  }
}
