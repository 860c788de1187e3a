import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { anyServer, askAndWait, importConversation, until } from './actions.mjs';

async function menuItem(page, title, item) {
  await page.locator('.entry', { hasText: title }).hover();
  await page.getByRole('button', { name: `Actions for “${title}”` }).click();
  await page.getByRole('menuitem', { name: item }).click();
}

export const history = {
  'conversations are renamed, found by their words, and deleted': async ({ page }) => {
    await askAndWait(page, 'Alpha question');
    await page.getByRole('button', { name: 'New conversation' }).first().click();
    await askAndWait(page, 'Beta with code');
    assert.equal(await page.locator('.entry').count(), 2);
    await menuItem(page, 'Alpha question', 'Rename');
    await page.locator('.rename').fill('Gamma');
    await page.locator('.rename').press('Enter');
    await page.locator('.entry', { hasText: 'Gamma' }).waitFor();

    await page.getByRole('searchbox', { name: 'Search conversations' }).fill('lru_cache');
    await until(async () => (await page.locator('.entry').count()) === 1, 'one is found');
    assert.equal(await page.locator('.entry mark').innerText(), 'lru_cache');
    await page.getByRole('searchbox', { name: 'Search conversations' }).fill('no such words');
    await page.getByText('Nothing found.').waitFor();
    await page.getByRole('searchbox', { name: 'Search conversations' }).fill('');

    await menuItem(page, 'Gamma', 'Delete');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await until(async () => (await page.locator('.entry').count()) === 1, 'one is left');
    await menuItem(page, 'Beta with code', 'Delete');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.locator('.greeting').waitFor();
    assert.equal(new URL(page.url()).pathname, '/');
  },

  'a found message is brought into view': async ({ page, mock }) => {
    await importConversation(mock, 'conversation-long', 60, (i) => `Answer ${i}. ${'More words. '.repeat(30)} ${i === 12 ? 'xylophone' : ''}`);
    await page.getByRole('searchbox').fill('xylophone');
    await page.locator('.entry mark').waitFor();
    await page.locator('.entry a').click();
    const found = page.locator('#n-answer-12');
    await until(async () => found.evaluate((e) => e.getBoundingClientRect().top > -50 && e.getBoundingClientRect().top < innerHeight).catch(() => false), 'the message is in view');
  },

  'far text is drawn before it comes into view': async ({ page, mock }) => {
    await importConversation(mock, 'conversation-far', 40, (i) => Array.from({ length: i === 30 ? 80 : 6 }, (_, n) => `Paragraph ${n} with $x_{${n}}$ and **words** enough.`).join('\n\n'));
    await page.goto(`${mock.address}/c/conversation-far`);
    await page.locator('#n-answer-39 .katex').first().waitFor();
    await page.locator('.scroller').hover();
    await page.waitForTimeout(300);
    for (let step = 0; step < 40; step++) {
      await page.mouse.wheel(0, -500);
      const raw = await page.evaluate(
        () =>
          new Promise((resolve) => {
            requestAnimationFrame(() => {
              const seen = (e) => e.checkVisibility({ contentVisibilityAuto: true }) && e.getBoundingClientRect().bottom > 60 && e.getBoundingClientRect().top < innerHeight - 140;
              resolve([...document.querySelectorAll('.chunk-far')].filter(seen).map((e) => e.closest('article').id));
            });
          }),
      );
      assert.deepEqual(raw, [], `after ${step} turns of the wheel`);
    }
  },

  'what is exported can be imported': async ({ page }) => {
    await askAndWait(page, 'Keep this');
    await page.getByRole('button', { name: 'Settings' }).click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export everything' }).click()]);
    const path = await download.path();
    assert.equal(JSON.parse(readFileSync(path, 'utf8')).conversations.length, 1);
    await page.getByRole('button', { name: 'Delete everything' }).click();
    await page.getByRole('dialog', { name: 'Delete everything' }).getByRole('button', { name: 'Delete everything' }).click();
    await until(async () => (await page.locator('.entry').count()) === 0, 'all are gone');
    await page.locator('dialog input[type=file]').setInputFiles({ name: 'export.json', mimeType: 'application/json', buffer: readFileSync(path) });
    await page.getByText('1 conversation imported').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.entry', { hasText: 'Keep this' }).waitFor();
  },

  'one conversation is exported as Markdown': anyServer(async ({ page }) => {
    await askAndWait(page, 'For the file');
    const [download] = await Promise.all([page.waitForEvent('download'), menuItem(page, 'For the file', 'Export as Markdown')]);
    assert.equal(download.suggestedFilename(), 'For-the-file.md');
    assert.match(readFileSync(await download.path(), 'utf8'), /^# For the file/);
  }),

  'a conversation that is not there says so': anyServer(async ({ page, mock }) => {
    await page.goto(`${mock.address}/c/no-such-conversation`);
    await page.getByText('does not exist').waitFor();
  }),

  'back and forward lead through conversations': anyServer(async ({ page }) => {
    await askAndWait(page, 'One');
    await page.getByRole('button', { name: 'New conversation' }).first().click();
    await askAndWait(page, 'Two');
    await page.goBack();
    await page.locator('.greeting').waitFor();
    await page.goBack();
    await page.locator('.question', { hasText: 'One' }).waitFor();
    await page.goForward();
    await page.goForward();
    await page.locator('.question', { hasText: 'Two' }).waitFor();
  }),
};
