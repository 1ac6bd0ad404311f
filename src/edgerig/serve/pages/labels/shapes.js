// Boxes and polygons: their points, and what becomes of them when these are dragged.

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// The points of a shape that can be dragged: corners of a box, from the upper left on clockwise; points of a polygon.
export function handles(shape) {
  if (shape.type === "box") {
    const [x, y, width, height] = shape.box;
    return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]];
  }
  const points = [];
  for (const part of shape.parts) {
    for (const ring of part) for (let index = 0; index < ring.length; index += 2) points.push([ring[index], ring[index + 1]]);
  }
  return points;
}

// A shape with one of its points, or the whole of it, dragged to another corner of pixels.
export function edited({ before, handle, from }, [x, y], { width, height }) {
  if (before.type === "box") {
    const [left, top, wide, high] = before.box;
    if (handle < 0) {
      const to = [clamp(left + x - from[0], 0, width - wide), clamp(top + y - from[1], 0, height - high)];
      return { ...before, box: [...to, wide, high] };
    }
    const fixed = handles(before)[(handle + 2) % 4];
    const across = Math.max(1, Math.abs(x - fixed[0])), down = Math.max(1, Math.abs(y - fixed[1]));
    return { ...before, box: [Math.min(fixed[0], x, width - 1), Math.min(fixed[1], y, height - 1), across, down] };
  }
  let index = -1;
  const parts = before.parts.map((part) => part.map((ring) => {
    const points = [...ring];
    for (let at = 0; at < points.length; at += 2) {
      index++;
      if (handle >= 0 && handle !== index) continue;
      const to = handle < 0 ? [points[at] + x - from[0], points[at + 1] + y - from[1]] : [x, y];
      points[at] = clamp(to[0], 0, width);
      points[at + 1] = clamp(to[1], 0, height);
    }
    return points;
  }));
  return { ...before, parts };
}
