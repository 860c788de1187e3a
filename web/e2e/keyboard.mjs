import assert from 'node:assert/strict';
import { askAndWait, ended, lastAnswer, until } from './actions.mjs';

const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    return !element || element === document.body ? '' : (element.getAttribute('aria-label') ?? element.textContent ?? '');
  });

async function tabTo(page, label, limit = 60) {
  for (let i = 0; i < limit; i++) {
    if ((await focused(page)).includes(label)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not reach “${label}”`);
}

export const keyboard = {
  'everything is done by keyboard alone': async ({ page }) => {
    await page.locator('#composer').waitFor();
    await until(async () => (await focused(page)) === 'Your question', 'the field has the focus');
    await page.keyboard.type('First line');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('slow second line');
    await page.keyboard.press('Enter');
    await page.locator('.thoughts').waitFor();
    await page.keyboard.press('Escape');
    await ended(page);
    assert.match(await page.locator('.question-text').innerText(), /First line\nslow second line/);

    await tabTo(page, 'Continue', 80);
    await page.keyboard.press('Enter');
    await page.locator('.send-stop').waitFor();
    await tabTo(page, 'Answer now', 80);
    await page.keyboard.press('Enter');
    await lastAnswer(page).locator('> .rich').waitFor();
    await page.keyboard.press('Escape');
    await ended(page);

    await page.keyboard.press('/');
    await until(async () => (await focused(page)) === 'Your question', 'slash leads to the field');
    await page.keyboard.press('ArrowUp');
    await until(async () => (await focused(page)) === 'Edit the question', 'arrow up edits the last question');
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('.editor').count(), 0);

    await page.keyboard.press('Control+k');
    await until(async () => (await focused(page)) === 'Search conversations', 'the search has the focus');
    await page.keyboard.press('Control+Shift+O');
    await page.locator('.greeting').waitFor();
  },

  'menus open, move and close by keyboard': async ({ page }) => {
    await askAndWait(page, 'Hello');
    await page.getByRole('button', { name: 'Actions for “Hello”' }).focus();
    await page.keyboard.press('Enter');
    await until(async () => (await focused(page)) === 'Rename', 'the first item has the focus');
    await page.keyboard.press('ArrowDown');
    assert.equal(await focused(page), 'Export as Markdown');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    assert.equal(await focused(page), 'Delete');
    await page.keyboard.press('Escape');
    assert.equal(await page.getByRole('menuitem').count(), 0);
  },

  'Enter that ends the choice of a Chinese word does not send': async ({ page }) => {
    await page.locator('#composer').fill('你');
    await page.locator('#composer').dispatchEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true });
    await page.waitForTimeout(100);
    assert.equal(await page.locator('.question').count(), 0);
  },

  'the keys are listed': async ({ page }) => {
    await page.locator('.top-bar').click();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    await page.keyboard.press('Escape');
    assert.equal(await page.getByRole('dialog').count(), 0);
  },

  'a screen reader hears how an answer stands': async ({ page }) => {
    const said = page.locator('[aria-live=polite].visually-hidden');
    await askAndWait(page, 'Hello');
    await until(async () => (await said.textContent()) === 'The answer is complete.', 'the end is announced');
    assert.equal(await page.getByRole('heading', { name: 'Answer' }).count(), 1);
  },
};
