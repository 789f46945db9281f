// A parent abroad says now what the child hears on its own evening: once, or a letter each week; what waits is shown on
// both sides alike, stops, and fires at its minute.
import assert from 'node:assert/strict'
import fs from 'node:fs'

import { look, story, told } from './browser.mjs'
import { MICROPHONE, control, jiashu, join, now, pass, phone, press, speak, until } from './phone.mjs'

const [MINUTE_MS, HOUR_MS] = [60_000, 3_600_000]

/** Sundays, of which the third is the day on which the clocks of Europe go on. */
const SUNDAYS = ['2027-03-14', '2027-03-21', '2027-03-28', '2027-04-04', '2027-04-11', '2027-04-18']

await story(async browser => {
  for (const family of told.families) await abroad(browser, family)
}, MICROPHONE)

async function abroad(browser, family) {
  const page = await phone(browser, family.language, { timezoneId: 'Europe/Rome' })
  await join(page, family.card)
  await press(page, 'schedules')
  await aSundayIsPlanned(page, family)
  await aBankIsFilled(page, family)
  await itComesInTime(page, family)
}

async function aSundayIsPlanned(page, { language, home, zone, text }) {
  await open(page, SUNDAYS[0], '19:30')
  await press(page, 'weekly')
  const times = page.locator('.times li')
  await until('six Sundays', async () => await times.count() === 6)
  const clocksOf = all => all.map(one => [...one.querySelectorAll('.clock')].map(it => it.textContent))
  const clocks = await times.evaluateAll(clocksOf)
  const rome = SUNDAYS.map(day => on(`${day}T19:30`, zone, 'Europe/Rome'))
  for (const [at, [his, hers]] of clocks.entries()) {
    assert.ok(his.includes('19:30') && hers.includes(rome[at].slice(-5)), `${his} | ${hers}`)
  }
  // Where both clocks go on together, the evening is as far from hers as ever.
  const changes = rome[2].slice(-5) !== rome[1].slice(-5) ? [2] : []
  assert.deepEqual(changes, zone === 'Asia/Shanghai' ? [2] : [])
  const marked = await times.evaluateAll(all => all.flatMap((one, at) => (one.querySelector('em') ? [at] : [])))
  assert.deepEqual(marked, changes)
  await look(page, `phone-later-${language}`, { full: true })

  await press(page, 'weekly')
  await until('one Sunday', async () => await times.count() === 1)
  await keep(page, text)
  await press(page, 'schedule')
  const planned = await until('it is planned', async () => (await jiashu(home, 'schedule', 'list'))[0])
  const { start, rrule, to, state } = planned
  // When, and for whom; what it says is a surprise.
  assert.deepEqual({ start, zone: planned.zone, rrule, to, state, text: planned.text }, {
    start: `${SUNDAYS[0]}T19:30:00`, zone, rrule: null, to: ['Lili'], state: 'active', text: null,
  })
  const [{ preview }] = await jiashu(home, 'schedule', 'show', planned.id)
  assert.equal(preview.length, 1)
  const { recipient_local: his, sender_local: hers } = preview[0]
  assert.deepEqual([his.slice(0, 16), hers.slice(0, 16)], [`${SUNDAYS[0]}T19:30`, rome[0]])
}

async function aBankIsFilled(page, { language, home, own, zone, letters }) {
  await open(page, SUNDAYS[0], '19:30')
  await press(page, 'weekly')
  for (const letter of letters.slice(0, 2)) await keep(page, letter)
  await look(page, `phone-bank-${language}`, { full: true })
  await press(page, 'schedule')
  const planned = () => jiashu(home, 'schedule', 'list')
  const { id } = await until('the bank is there', async () => (await planned()).find(one => one.bank))
  const bank = page.locator('article', { hasText: letters[0] })
  await control(page, `text-${id}`).fill(letters[2])
  await press(page, `keep-${id}`)
  const full = await until('the third letter', async () => {
    const [found] = await jiashu(own, 'schedule', 'show', id)
    return found.letters.length === 3 && found
  })
  assert.deepEqual(full.letters.map(letter => letter.text), letters)
  const evenings = SUNDAYS.slice(0, 3).map(day => on(`${day}T19:30`, zone, 'UTC'))
  assert.deepEqual(full.letters.map(letter => letter.goes_at.slice(0, 16)), evenings)
  await until('the page shows them', async () => await bank.locator('.written').count() === 3)
  assert.deepEqual(await bank.locator('.written').allTextContents(), letters)
  await until('the page shows when', async () => await bank.locator('.times li').count() === 2)
  await look(page, `phone-schedules-${language}`, { full: true })

  const stands = state => until(state, async () => (await planned()).find(one => one.id === id)?.state === state)
  await press(page, `pause-${id}`)
  await stands('paused')
  await press(page, `go-on-${id}`)
  await stands('active')
  await press(page, `cancel-${id}`)
  await press(page, `cancel-${id}-yes`)
  await stands('cancelled')
  await bank.waitFor({ state: 'detached' })
  const live = (await planned()).filter(one => one.state === 'active')
  assert.equal(live.length, await page.locator('article').count(), 'both sides show the same')
}

async function itComesInTime(page, { language, home, zone, answer, parent }) {
  const due = Math.ceil((now() + MINUTE_MS / 2) / MINUTE_MS) * MINUTE_MS
  const evening = local(due, zone)
  await open(page, ...evening.split('T'))
  await speak(page)
  await press(page, 'record')
  await press(page, 'keep')
  await page.locator('.draft').waitFor()
  await press(page, 'schedule')
  const start = `${evening}:00`
  await until('it is planned', async () => (await jiashu(home, 'schedule', 'list')).some(one => one.start === start))
  const hers = local(due, 'Europe/Rome')
  await jiashu(home, 'schedule', 'add', '--as', 'Lili', '--on', hers.replace('T', ' '), '--to', parent, answer)
  assert.deepEqual(await jiashu(home, 'inbox'), [], 'not before its time')

  pass(due + 1000 - now())
  const [voice] = await until('the voice to come', async () => {
    const came = await jiashu(home, 'inbox')
    return came.length > 0 && came
  })
  assert.deepEqual(await jiashu(home, 'inbox'), [], 'it came once')
  assert.deepEqual([voice.kind, Date.parse(voice.scheduled_for), voice.late], ['voice', due, false])
  await press(page, 'back')
  const file = new URL(`../../client-web/locale/phone/${language}.json`, import.meta.url)
  const { receipts } = JSON.parse(fs.readFileSync(file))
  const came = rung => page.locator('article.mine .receipts', {
    hasText: new RegExp(receipts[rung].replace(/\{\w+\}/g, '.*')),
  }).waitFor()
  await came('phone')
  const meant = (letter, at, place) => {
    const said = letter.locator('p.soft', { hasText: at.slice(-5) })
    return said.filter({ hasText: place }).waitFor()
  }
  await meant(page.locator('article', { hasText: answer }), hers, 'Rome')
  await meant(page.locator('article.mine'), evening, zone.split('/')[1])
  await jiashu(home, 'voice', 'play', String(voice.seq), '--by', 'Lili', '--player', told.player)
  await came('heard')
  await jiashu(home, 'heard', String(voice.seq), '--by', 'Lili')
  await came('shown')
  await look(page, `phone-fired-${language}`, { full: true })
}

/** Opens what is for later, with that day and time on the child's clock. */
async function open(page, day, time) {
  await press(page, 'later')
  await control(page, 'startDay').fill(day)
  await control(page, 'startTime').fill(time)
}

async function keep(page, text) {
  await control(page, 'text').fill(text)
  await press(page, 'keep-text')
}

/** What a zone's clocks show at an instant: `2027-03-14T19:30`. */
function local(at, zone) {
  const options = { timeZone: zone, dateStyle: 'short', timeStyle: 'short' }
  return new Intl.DateTimeFormat('sv-SE', options).format(at).replace(' ', 'T')
}

/** What another zone's clocks show when those of this one show that. */
function on(civil, zone, other) {
  const wanted = Date.parse(`${civil}Z`)
  const hours = [...Array(27).keys()].map(hour => wanted + (hour - 12) * HOUR_MS)
  return local(hours.find(at => local(at, zone) === civil), other)
}
