import assert from 'node:assert/strict';
import { answerText, ask, askAndWait, ended, lastAnswer, until } from './actions.mjs';

export const answering = {
  'thinking is shown live, then folded to its duration when the answer begins': async ({ page }) => {
    await ask(page, 'Tell me something slow');
    const toggle = lastAnswer(page).locator('.thinking-toggle');
    await page.locator('.thoughts').getByText('Okay, so I need').waitFor();
    assert.equal(await toggle.getAttribute('aria-expanded'), 'true');
    assert.match(await toggle.innerText(), /Thinking…/);
    assert.equal(await lastAnswer(page).locator('> .rich').count(), 0);
    await page.getByRole('button', { name: 'Answer now' }).click();
    await lastAnswer(page).locator('> .rich').waitFor();
    await until(async () => (await toggle.getAttribute('aria-expanded')) === 'false', 'the thoughts fold');
    assert.match(await toggle.innerText(), /Thought for \d+ seconds?/);
    await toggle.click();
    await page.locator('.thoughts').waitFor();
    await page.keyboard.press('Escape');
    await ended(page);
    assert.match(await page.locator('.ending').innerText(), /Stopped/);
  },

  'with DeepThink off there is no thinking': async ({ page }) => {
    await page.getByRole('switch', { name: 'DeepThink' }).click();
    await askAndWait(page, 'Hello');
    assert.equal(await page.locator('.thinking').count(), 0);
    assert.match(await answerText(page), /calm way/);
    await page.reload();
    await until(async () => (await page.getByRole('switch', { name: 'DeepThink' }).getAttribute('aria-checked')) === 'false', 'the switch is remembered');
  },

  'an answer can be stopped inside its thinking, and continued there': async ({ page }) => {
    await ask(page, 'Think slowly: slow');
    await page.locator('.thoughts').getByText('First').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await ended(page);
    const before = await page.locator('.thoughts').innerText();
    assert.match(await page.locator('.thinking-toggle').innerText(), /Stopped after/);
    await page.getByRole('button', { name: 'Continue' }).click();
    await until(async () => (await page.locator('.thoughts').innerText()).length > before.length + 20, 'the thinking goes on');
    assert.ok((await page.locator('.thoughts').innerText()).startsWith(before.trimEnd().slice(0, 60)));
    await page.getByRole('button', { name: 'Answer now' }).click();
    await lastAnswer(page).locator('> .rich').waitFor();
    assert.equal(await page.locator('.answer').count(), 1);
  },

  'an answer can be stopped in the middle and continued without repeating itself': async ({ page }) => {
    await page.getByRole('switch', { name: 'DeepThink' }).click();
    await ask(page, 'slow please');
    await until(async () => (await lastAnswer(page).innerText()).includes('calm way'), 'the answer begins');
    await page.getByRole('button', { name: 'Stop' }).click();
    await ended(page);
    await page.getByRole('button', { name: 'Continue' }).click();
    await until(async () => (await lastAnswer(page).innerText()).includes('shorter than the question'), 'the answer is completed', 12_000);
    assert.equal((await answerText(page)).match(/calm way/g).length, 1);
  },

  'an answer that fills the context says so and offers no continuation': async ({ page }) => {
    await page.getByRole('switch', { name: 'DeepThink' }).click();
    await ask(page, 'full');
    await ended(page);
    assert.match(await page.locator('.ending').innerText(), /The context is full: this model sees no more than [\d,]+ tokens/);
    assert.equal(await page.getByRole('button', { name: 'Continue' }).count(), 0);
    await ask(page, 'limit');
    await ended(page);
    await page.getByRole('button', { name: 'Continue' }).waitFor();
  },

  'a reload in the middle of an answer loses nothing': async ({ page }) => {
    await ask(page, 'Something slow, with thoughts');
    await page.locator('.thoughts').getByText('Okay').waitFor();
    const address = page.url();
    await page.reload();
    assert.equal(page.url(), address);
    await page.locator('.thoughts').getByText('Okay, so I need').waitFor();
    await page.getByRole('button', { name: 'Answer now' }).click();
    await until(async () => (await lastAnswer(page).innerText()).includes('calm way'), 'the answer begins');
    await page.reload();
    await until(async () => (await lastAnswer(page).innerText()).includes('turning point'), 'the answer goes on');
    assert.equal((await answerText(page)).match(/calm way/g).length, 1);
    assert.match(await page.locator('.thinking-toggle').innerText(), /Thought for/);
  },

  'an answer goes on while another conversation is looked at': async ({ page }) => {
    await ask(page, 'First one, slow');
    await page.locator('.thoughts').waitFor();
    await page.getByRole('button', { name: 'New conversation' }).first().click();
    await page.locator('.greeting').waitFor();
    assert.equal(await page.locator('.entry .running').count(), 1);
    await page.locator('.entry a').first().click();
    await page.locator('.thoughts').getByText('Okay').waitFor();
    assert.equal(await page.locator('.send-stop').count(), 1);
  },

  'a dropped connection is taken up where it broke': async ({ page, mock }) => {
    await page.getByRole('switch', { name: 'DeepThink' }).click();
    await ask(page, 'slow please');
    for (const words of ['calm way', 'turning point']) {
      await until(async () => (await lastAnswer(page).innerText()).includes(words), words);
      mock.server.closeAllConnections();
    }
    await until(async () => (await lastAnswer(page).innerText()).includes('shorter than the question'), 'the end', 12_000);
    const text = await answerText(page);
    for (const words of ['calm way', 'turning point', 'even case']) assert.equal(text.split(words).length, 2, words);
  },

  'an answer that the server no longer knows is not waited for': async ({ page, mock }) => {
    await ask(page, 'slow please');
    await page.locator('.thoughts').waitFor();
    mock.state.conversations.clear();
    mock.server.closeAllConnections();
    await page.getByRole('alert').getByText('there is none').waitFor();
    assert.equal(await page.locator('.send-stop').count(), 0);
  },

  'queue, loading and prefill are told': async ({ page }) => {
    await ask(page, 'queue loading prefill');
    await page.getByText('Waiting: 3 in line').waitFor();
    await page.getByText('Waiting: next in line').waitFor();
    await page.getByText('Loading the model').waitFor();
    await page.getByText(/Reading [\d,]+ of 12,0\d\d tokens/).waitFor();
    assert.ok(await page.locator('.progress progress').isVisible());
    await ended(page);
    assert.match(await page.locator('.facts').innerText(), /tokens\/s/);
  },

  'a failed answer says why and can be continued': async ({ page }) => {
    await askAndWait(page, 'an error please');
    assert.match(await page.getByRole('alert').innerText(), /ran out of memory/);
    await page.getByRole('button', { name: 'Continue' }).click();
    await until(async () => (await lastAnswer(page).innerText()).includes('shorter than the question'), 'the answer is completed');
    assert.equal(await page.getByRole('alert').count(), 0);
  },

  'a question that does not fit is refused with its reason, and stays to be asked again': async ({ page }) => {
    await ask(page, 'word '.repeat(40_000));
    await page.locator('.notice').getByText(/the context 32768/).waitFor();
    await page.getByText('No answer yet.').waitFor();
  },

  'mathematics, code and tables are set': async ({ page, context }) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await askAndWait(page, 'maths, code and a table');
    assert.ok((await lastAnswer(page).locator('.math-display .katex').count()) >= 3);
    assert.equal(await lastAnswer(page).locator('.math-error').count(), 0);
    assert.ok((await lastAnswer(page).locator('.hljs-keyword').count()) > 3);
    assert.equal(await lastAnswer(page).locator('td.align-right').first().evaluate((cell) => getComputedStyle(cell).textAlign), 'right');
    assert.match(await answerText(page), /It costs \$5 to print and \$10 to frame/);
    const strut = lastAnswer(page).locator('.katex .strut').first();
    assert.notEqual(await strut.evaluate((s) => s.style.height), '', 'the styles of KaTeX survive the policy');
    await page.locator('.code-copy').first().click();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^from functools import lru_cache\n/);
  },

  'the page follows the end of an answer, and lets go when the reader scrolls up': {
    mock: { rate: 600 },
    run: async ({ page }) => {
      await page.getByRole('switch', { name: 'DeepThink' }).click();
      await ask(page, 'long 60');
      const scroller = page.locator('.scroller');
      const gap = () => scroller.evaluate((s) => s.scrollHeight - s.scrollTop - s.clientHeight);
      await until(async () => (await scroller.evaluate((s) => s.scrollTop)) > 300, 'the page follows');
      assert.ok((await gap()) < 60);
      await scroller.hover();
      await page.mouse.wheel(0, -400);
      await page.getByRole('button', { name: 'To the end' }).waitFor();
      const top = await scroller.evaluate((s) => s.scrollTop);
      await page.waitForTimeout(600);
      assert.ok(Math.abs((await scroller.evaluate((s) => s.scrollTop)) - top) < 120, 'the page stays where the reader is');
      await page.getByRole('button', { name: 'To the end' }).click();
      await until(async () => (await gap()) < 60, 'the page is at its end');
      await ended(page);
      await until(async () => (await gap()) < 60, 'and stays there');
    },
  },
};
