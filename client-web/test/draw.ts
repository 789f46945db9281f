// Draws the families of a list, as the page does, for the Rust test to check: the list on standard input, the frames
// and the cards as JSON on standard output.

import { readFileSync } from 'node:fs'

import { Zones } from '../src/enrol/cell.ts'
import { check } from '../src/enrol/check.ts'
import { draw } from '../src/enrol/draw.ts'
import { toHex, zoneNames } from './files.ts'

const today = new Date().toISOString().slice(0, 10)
const settled = { today, sites: null, ownWordAge: 14, zones: new Zones(zoneNames()) }
const { families, faults } = check(readFileSync(0), settled)
if (faults.length > 0) throw new Error(JSON.stringify(faults))
const drawn = await Promise.all(families.map(family => draw(family, 'https://relay.example.org', Date.now())))
console.log(JSON.stringify(drawn.map(({ frame, cards }) => ({ frame: toHex(frame), cards }))))
