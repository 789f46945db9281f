// What is drawn: no picture is fetched. Icons are lines on 24 by 24, faces and answers are filled shapes on 48 by 48.

const round = (x: number, y: number, across: number, down = across) =>
  `M${x - across} ${y}a${across} ${down} 0 1 0 ${2 * across} 0a${across} ${down} 0 1 0-${2 * across} 0`

export const ICONS = {
  back: 'M15 5l-7 7 7 7',
  ear: 'M8 19c3 4 5 0 6-3s4-4 4-8A6 6 0 0 0 6 8M9 9a3 3 0 0 1 6 0c0 3-4 3-4 6',
  play: 'M8 4l12 8-12 8z',
  stop: 'M6 6h12v12H6z',
  mic: 'M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5 11a7 7 0 0 0 14 0M12 18v3M8 21h8',
  send: 'M3 11l18-8-7 18-3-8zM11 13L21 3',
  again: 'M4 12a8 8 0 1 0 3-6L4 8M4 3v5h5',
  discard: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5M14 11v5',
  help: round(12, 12, 9) + round(12, 12, 4) + 'M5.6 5.6l3.6 3.6M14.8 14.8l3.6 3.6M18.4 5.6l-3.6 3.6M9.2 14.8l-3.6 3.6',
  menu: 'M4 6h16M4 12h16M4 18h16',
  write: 'M4 20l1-5L16 4l4 4L9 19zM13 7l4 4',
  clock: round(12, 12, 9) + 'M12 7v5l4 3',
  calendar: 'M4 6h16v14H4zM4 11h16M8 3v5M16 3v5',
  people: round(9, 8, 4) + 'M2 21c0-10 14-10 14 0M16 4a4 4 0 0 1 0 8M18 14c3 1 4 4 4 7',
  person: round(12, 8, 4) + 'M4 21c0-10 16-10 16 0',
  phone: 'M7 2h10v20H7zM11 19h2',
  card: 'M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h3v3M20 14v6h-3M14 20v0',
  close: 'M6 6l12 12M18 6L6 18',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9' + round(15, 7, 2) + round(9, 17, 2),
  data: 'M7 20V5M3 9l4-4 4 4M17 4v15M13 15l4 4 4-4',
  eye: 'M2 12c5-9 15-9 20 0-5 9-15 9-20 0z' + round(12, 12, 3),
  globe: round(12, 12, 9) + 'M3 12h18M12 3c-5 5-5 13 0 18 5-5 5-13 0-18',
  size: 'M2 19L8 5l6 14M4 14h8M14 19l4-9 4 9M15 16h6',
  moon: 'M20 14A8.5 8.5 0 1 1 10 4a7 7 0 0 0 10 10z',
  speaker: 'M4 9h4l5-4v14l-5-4H4zM16 9c2 2 2 4 0 6M19 6c4 4 4 8 0 12',
  fetch: 'M12 3v12M7 11l5 5 5-5M4 21h16',
  lock: 'M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3',
  check: 'M4 13l5 5L20 6',
  plus: 'M12 5v14M5 12h14',
  bell: 'M5 17h14l-2-3v-4a5 5 0 0 0-10 0v4zM10 20h4',
  warning: 'M12 3l10 18H2zM12 10v5M12 18v0',
  repeat: 'M4 11V9a3 3 0 0 1 3-3h12M16 3l3 3-3 3M20 13v2a3 3 0 0 1-3 3H5M8 15l-3 3 3 3',
  letter: 'M3 6h18v12H3zM3 7l9 6 9-6',
  pause: 'M8 5v14M16 5v14',
  offline: 'M7 18h10a4 4 0 0 0 0-8 6 6 0 0 0-11 1 4 4 0 0 0 1 7zM4 3l16 18',
  share: 'M12 15V3M8 7l4-4 4 4M5 12v8h14v-8',
  door: 'M13 4h6v16h-6M3 12h11M10 8l4 4-4 4',
} as const

export type IconName = keyof typeof ICONS

/** Shapes by their colour, the lowest first. */
type Drawing = readonly (readonly [colour: string, shape: string])[]

const DARK = '#2b2320'
const eyes = (y = 24, apart = 7) => [DARK, round(24 - apart, y, 2.2) + round(24 + apart, y, 2.2)] as const

/** In the order of the words `animals`. */
export const ANIMALS: readonly Drawing[] = [
  [['#ef9a45', 'M8 24L9 5l12 8h6l12-8 1 19z' + round(24, 28, 16, 14)], eyes(26), ['#c8425a', 'M21 31h6l-3 4z']],
  [['#d9a066', round(24, 26, 14, 16)], ['#7b4b2a', round(9, 24, 5, 12) + round(39, 24, 5, 12)],
    ['#f6e0c0', round(24, 33, 8, 7)],
    eyes(), [DARK, round(24, 30, 3.5, 2.5)]],
  [['#f3eef5', round(16, 12, 5, 11) + round(32, 12, 5, 11) + round(24, 30, 14, 13)],
    ['#f0a0b4', round(16, 13, 2, 8) + round(32, 13, 2, 8)],
    eyes(28), ['#e0607e', 'M21 33h6l-3 3z']],
  [['#8d5a3b', round(11, 13, 6) + round(37, 13, 6) + round(24, 27, 16)], ['#d8b48c', round(24, 33, 8, 6)], eyes(),
    [DARK, round(24, 31, 3.5, 2.5)]],
  [['#f7a8b5', 'M8 22L8 7l12 6zM40 22l0-15-12 6z' + round(24, 27, 16)], eyes(), ['#e5748a', round(24, 33, 8, 6)],
    [DARK, round(21, 33, 1.3, 2) + round(27, 33, 1.3, 2)]],
  [['#c9a77c', 'M12 12L9 3l9 6zM36 12l3-9-9 6z'], [DARK, round(7, 18, 5, 3) + round(41, 18, 5, 3)],
    ['#fdfbf7', round(24, 25, 13, 17)],
    [DARK, round(17, 20, 6, 7)], ['#fdfbf7', round(17, 23, 2.6)], eyes(23), ['#f2b3b0', round(24, 37, 10, 7)],
    [DARK, round(20, 36, 1.4) + round(28, 36, 1.4)]],
  [['#d8392b', round(21, 8, 4) + round(27, 7, 4)], ['#ffd23f', round(24, 27, 17)], eyes(),
    ['#ec7a1c', 'M18 29h12l-6 8z']],
  [['#6faf4e', round(13, 16, 8) + round(35, 16, 8) + round(24, 30, 19, 14)],
    ['#fff', round(13, 16, 5) + round(35, 16, 5)],
    eyes(16, 11), ['#35602a', 'M11 31c6 9 20 9 26 0-6 4-20 4-26 0z']],
  [['#a4a0a8', round(10, 14, 9) + round(38, 14, 9) + round(24, 29, 14, 13)],
    ['#f0b3c0', round(10, 14, 5) + round(38, 14, 5)],
    eyes(26, 6), ['#e0607e', round(24, 35, 3, 2.4)]],
  [['#e2622e', 'M5 6l13 8h12l13-8-2 21-17 16L7 27z'], ['#fff', 'M7 27l17 16 17-16c-8-1-14 2-17 8-3-6-9-9-17-8z'],
    eyes(),
    [DARK, round(24, 40, 3.5, 3)]],
  [[DARK, round(10, 12, 7) + round(38, 12, 7)], ['#fdfbf7', round(24, 27, 17)],
    [DARK, round(16, 26, 5, 6) + round(32, 26, 5, 6)],
    ['#fff', round(17, 25, 1.8) + round(31, 25, 1.8)], [DARK, round(24, 34, 3.5, 2.5)]],
  [['#8fa3b8', round(8, 22, 8, 12) + round(40, 22, 8, 12)],
    ['#b4c5d6', round(24, 23, 13, 15) + 'M20 28h8v14a4 4 0 0 1-8 0z'],
    eyes(21), ['#8fa3b8', 'M20 34h8v2h-8zM20 39h8v2h-8z']],
]

const YELLOW = ['#ffd23f', round(24, 24, 19)] as const

/** Answers of a picture letter, from number 1: heart, smile, tear, thumb up, hug, telephone. */
export const ANSWERS: readonly Drawing[] = [
  [['#dc2f45', 'M24 42C2 27 5 7 16 7c4 0 7 3 8 6 1-3 4-6 8-6 11 0 14 20-8 35z']],
  [YELLOW, eyes(19), [DARK, 'M12 26h24c-2 13-22 13-24 0z']],
  [YELLOW, eyes(19), [DARK, 'M15 36c3-9 15-9 18 0-5-4-13-4-18 0z'], ['#2f7fd6', 'M34 22c-6 8-6 14 0 14s6-6 0-14z']],
  [['#2f7fd6', 'M5 22h9v20H5z'],
    ['#f2b880', 'M16 23L24 6c6-1 7 6 4 13h11c4 0 5 5 2 7 3 2 2 6-1 7 1 3 0 5-3 6 0 3-2 4-5 4H22c-4 0-6-2-6-4z']],
  [['#e2622e', 'M5 44c0-15 3-21 12-21s12 6 12 21z'], ['#2f7fd6', 'M20 44c0-13 2-18 11-18s12 5 12 18z'],
    ['#8d5a3b', round(16, 14, 8)],
    ['#f2b880', round(32, 17, 7)], ['#e2622e', 'M14 30c8 3 16 3 24 0l2 6c-9 4-19 4-28 0z']],
  [['#2e8b4f', 'M11 5l8 2 2 10-5 4c2 5 6 9 11 11l4-5 10 2 2 8c-2 7-7 7-11 6C18 40 8 30 5 16c-1-5 1-9 6-11z']],
]

/** Behind a face: whoever shares an animal has another of these. */
export const GROUNDS = ['#f6e7cf', '#cfe6f2', '#d6ecd2', '#f5d5dc', '#e2d8f3', '#f3ec9f'] as const
