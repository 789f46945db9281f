// The page twice on one phone: the second is at work, the first says so and takes it back; what was said in either arrives once.
// And a page that is gone in the middle of sending: what was said arrives once, in its order, under a number of its own.
import assert from 'node:assert/strict'

import { look, story, told } from './browser.mjs'
import { MICROPHONE, control, face, jiashu, join, phone, press, tab, until } from './phone.mjs'

/** How often the page is gone. */
const GONE = 12

const PICTURES = ['heart', 'smile', 'tear', 'thumb-up', 'hug', 'telephone']

await story(async browser => {
  await Promise.all(told.families.map(async family => {
    const page = await phone(browser, family.language)
    await cutOff(page, family, await inTwoTabs(page, family))
  }))
}, MICROPHONE)

async function inTwoTabs(first, { language, card, mother }) {
  const answers = []
  const more = async () => {
    answers.push(...await jiashu(mother, 'inbox'))
    return answers
  }
  const sentBy = async (page, picture) => {
    const before = answers.length
    await press(page, `answer-${picture}`)
    await until('the answer to come', async () => (await more()).length > before)
  }
  await join(first, card)
  await press(first, face(first, 3))
  await sentBy(first, 1)

  const second = await tab(first.context())
  await press(second, face(second, 3))
  await control(first, 'takeOver').waitFor()
  await look(first, `phone-second-tab-${language}`)
  await sentBy(second, 2)
  // The first, though it is not the one: it says so, and keeps nothing that the other does not know.
  await press(first, 'takeOver')
  await control(first, 'takeOver').waitFor({ state: 'detached' })
  await control(second, 'takeOver').waitFor()
  await sentBy(first, 3)
  await press(second, 'takeOver')
  await control(first, 'takeOver').waitFor()
  await sentBy(second, 4)
  assert.deepEqual(second.faults, [])
  await second.close()
  await press(first, 'takeOver')
  await sentBy(first, 5)
  assert.deepEqual(answers.map(it => it.picture), ['heart', 'smile', 'tear', 'thumb-up', 'hug'])
  assert.deepEqual(first.faults, [])
  return answers
}

async function cutOff(first, { mother }, before) {
  const context = first.context()
  await first.close()
  const said = []
  const say = async (picture, isSure) => {
    const page = await tab(context)
    await press(page, face(page, 3))
    await press(page, `answer-${picture}`)
    // What is said to be on its way is on the disk.
    if (isSure) await page.locator('[role=status]:not(:empty)').waitFor()
    said.push({ picture: PICTURES[picture - 1], isSure })
    return page
  }
  for (let time = 0; time < GONE; time++) {
    const page = await say(1 + (time % 5), time % 3 > 0)
    // No condition: the moment is to be any.
    await new Promise(resolve => setTimeout(resolve, Math.random() ** 2 * 60))
    await gone(page, time % 2 === 0)
  }
  const page = await say(6, true)
  const after = []
  await until('the last to come', async () => {
    after.push(...await jiashu(mother, 'inbox'))
    return after.at(-1)?.picture === 'telephone'
  })
  const came = after.map(it => it.picture)
  for (const { picture, isSure } of said) {
    if (picture === came[0]) came.shift()
    else assert.ok(!isSure, `${picture} was said, and is not here in its place: ${came}`)
  }
  assert.deepEqual(came, [], 'each came once, in its order')
  assert.deepEqual(await jiashu(mother, 'inbox'), [])
  const numbers = [...before, ...after].map(it => it.seq)
  assert.deepEqual(numbers, [...new Set(numbers)].sort((one, other) => one - other))
  assert.deepEqual(page.faults, [])
  await page.close()
}

/** Closed by a person, or ended by the system. */
async function gone(page, isCrash) {
  assert.deepEqual(page.faults, [])
  if (isCrash) {
    const session = await page.context().newCDPSession(page)
    const crashed = page.waitForEvent('crash')
    session.send('Page.crash').catch(() => {})
    await crashed
  }
  await page.close()
}
