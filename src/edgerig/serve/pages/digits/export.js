// A picture as files: text, PNG and C header, byte for byte those of serve/drawing_files.py.

import { SIDE } from "./drawing.js";

// Nine digits: as many as bring back the same float.
const real = (byte) => Math.fround(byte / 255).toPrecision(9);

function rows(picture, text) {
  return Array.from({ length: SIDE }, (_, row) => Array.from(picture.slice(row * SIDE, (row + 1) * SIDE), text));
}

export const textOf = (picture) => rows(picture, real).map((row) => row.join(" ") + "\n").join("");

export function headerOf(picture) {
  const lines = rows(picture, (byte) => real(byte) + "f").map((row) => `    ${row.join(", ")},\n`).join("");
  return `/* A drawn digit, ${SIDE}x${SIDE}, row by row: 0 is paper, 1 is ink. */\n#ifndef DIGIT_H\n#define DIGIT_H\n\n` +
    `static const float digit[${SIDE * SIDE}] = {\n${lines}};\n\n#endif\n`;
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}

function adler32(bytes) {
  let low = 1, high = 0;
  for (const byte of bytes) { low = (low + byte) % 65521; high = (high + low) % 65521; }
  return (high * 65536 + low) >>> 0;
}

const word = (value) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];

function chunk(name, body) {
  const bytes = [...name].map((letter) => letter.charCodeAt(0)).concat(body);
  return [...word(body.length), ...bytes, ...word(crc32(bytes))];
}

// Grey, 8 bits, ink is white as in MNIST; its one block is stored, not compressed (RFC 1950, 1951).
export function pngOf(picture) {
  const raw = rows(picture, (byte) => byte).flatMap((row) => [0, ...row]), size = raw.length;
  const block = [1, size & 255, size >> 8, ~size & 255, (~size >> 8) & 255];
  return Uint8Array.from([
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a,
    ...chunk("IHDR", [...word(SIDE), ...word(SIDE), 8, 0, 0, 0, 0]),
    ...chunk("IDAT", [0x78, 0x01, ...block, ...raw, ...word(adler32(raw))]),
    ...chunk("IEND", []),
  ]);
}
