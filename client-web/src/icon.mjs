// The sign of the page: a letter with a heart for a seal. Its points are the only drawing; as SVG, and as PNG for phones
// that take no other.

import { deflateSync } from 'node:zlib'

/** The drawing's side. What matters stays in the middle four fifths: phones cut the corners as they like. */
const SIDE = 512

/** Points of a pixel's side that are looked at. */
const LOOKS = 2

const HEART = Array.from({ length: 32 }, (_, step) => {
  const t = (step / 16) * Math.PI
  const y = 13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t)
  return [Math.round(256 + 16 * Math.sin(t) ** 3 * 4.6), Math.round(286 - y * 4.6)]
})

/** From the back to the front. */
const SHAPES = [
  ['#8c2f1b', [[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]]],
  ['#fff6e5', [[96, 148], [416, 148], [416, 372], [96, 372]]],
  ['#e8cfa6', [[96, 148], [416, 148], [256, 286]]],
  ['#c8371f', HEART],
]

/** As SVG. */
export function svg() {
  const shapes = SHAPES.map(([colour, points]) => `<polygon fill="${colour}" points="${points.join(' ')}"/>`)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIDE} ${SIDE}">${shapes.join('')}</svg>`
}

/** As PNG, so many pixels wide. */
export function png(size) {
  const rows = Buffer.alloc(size * (1 + 3 * size))
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) rows.set(pixel(x, y, SIDE / size), y * (1 + 3 * size) + 1 + 3 * x)
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(size, 0)
  head.writeUInt32BE(size, 4)
  // Eight bits of red, green and blue.
  head.set([8, 2], 8)
  const signature = Buffer.from('89504e470d0a1a0a', 'hex')
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))])
}

/** Its colour, in the middle of what is seen at some points of it. */
function pixel(x, y, scale) {
  const seen = [0, 0, 0]
  for (let look = 0; look < LOOKS ** 2; look++) {
    const at = [x + ((look % LOOKS) + 0.5) / LOOKS, y + (Math.floor(look / LOOKS) + 0.5) / LOOKS].map(place => place * scale)
    const [colour] = SHAPES.findLast(([, points]) => holds(points, at))
    for (let part = 0; part < 3; part++) seen[part] += Number.parseInt(colour.slice(1 + 2 * part, 3 + 2 * part), 16)
  }
  return seen.map(part => Math.round(part / LOOKS ** 2))
}

/** Whether a polygon holds a point: by how many of its sides lie to the right. */
function holds(points, [x, y]) {
  let isIn = false
  for (const [at, [ax, ay]] of points.entries()) {
    const [bx, by] = points.at(at - 1)
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) isIn = !isIn
  }
  return isIn
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data])
  const ends = Buffer.alloc(8)
  ends.writeUInt32BE(data.length, 0)
  ends.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
}

/** Node's own is younger than the oldest Node that builds this. */
function crc32(bytes) {
  let sum = ~0
  for (const byte of bytes) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0)
  }
  return ~sum >>> 0
}
