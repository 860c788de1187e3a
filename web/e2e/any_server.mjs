// What holds with any model: for the real server too.
import assert from 'node:assert/strict';
import { ask, ended, lastAnswer, until } from './actions.mjs';

const PATIENCE = 120_000; // a model on a small machine
const words = async (page) => (await lastAnswer(page).innerText()).length;

/** Stops the answer; a fast model may have ended it meanwhile. */
async function stop(page) {
  await page.locator('.send-stop').click({ timeout: 1000 }).catch(() => undefined);
  await ended(page);
}

export const anyServer = {
  'any model: ask, reload, stop, continue, answer anew, delete': {
    anyServer: true,
    mock: { rate: 60 },
    run: async ({ page }) => {
      page.setDefaultTimeout(PATIENCE);
      const title = `Count from one to fifty ${Date.now()}`;
      await ask(page, title);
      await until(async () => (await words(page)) > 40, 'words appear', PATIENCE);
      const before = await words(page);
      await page.reload();
      await lastAnswer(page).waitFor();
      // An answer that has ended meanwhile folds its thoughts.
      const kept = async () => ((await page.locator('.send-stop').isVisible()) ? before : 1);
      await until(async () => (await words(page)) >= (await kept()), 'they are there after a reload', PATIENCE);
      await stop(page);
      const carryOn = page.getByRole('button', { name: 'Continue' });
      if (await carryOn.isVisible()) {
        await carryOn.click();
        await stop(page);
      }
      await page.getByRole('button', { name: 'Another answer' }).click();
      await until(async () => (await page.locator('.send-stop').isVisible()) || (await page.locator('.answer .branch').isVisible()), 'a second answer', PATIENCE);
      await stop(page);
      assert.match(await page.locator('.answer .branch').innerText(), /2\/2/);
      await page.locator('.entry', { hasText: title }).hover();
      await page.getByRole('button', { name: `Actions for “${title}”` }).click();
      await page.getByRole('menuitem', { name: 'Delete' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
      await page.locator('.greeting').waitFor();
    },
  },
};
