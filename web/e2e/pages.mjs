import assert from 'node:assert/strict';
import { until } from './actions.mjs';

export const pages = {
  'the library lists, adds, removes and tries': async ({ page }) => {
    await page.getByRole('link', { name: 'Library' }).click();
    await page.getByText('/home/ada/notes').waitFor();
    await page.getByText('the address answered 404').waitFor();
    await page.getByRole('textbox', { name: 'Folder, file or address' }).fill('/srv/papers');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByText(/Reading \d+ of 40/).waitFor();
    await page.locator('.library-entry', { hasText: '/home/ada/notes' }).getByRole('button', { name: 'Remove' }).click();
    await until(async () => (await page.locator('.library-entry').count()) === 2, 'one was removed');
    await page.getByRole('searchbox', { name: 'Try a search' }).fill('lighthouse');
    await page.locator('.plain-page').getByRole('button', { name: 'Search' }).click();
    await page.getByText('The Pharos of Alexandria').waitFor();
  },

  'the live page draws what the engine does': async ({ page, mock }) => {
    await page.goto(`${mock.address}/live`);
    await until(async () => (await page.locator('.chart canvas').count()) === 4, 'four charts');
    assert.equal(await page.locator('.tile').count(), 10);
    const drawn = await page.locator('.chart canvas').first().evaluate((canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v > 0));
    assert.ok(drawn);
  },

  'a server with keys asks for one': {
    mock: { key: 'sk-right' },
    run: async ({ page }) => {
      await page.getByLabel('API key').fill('sk-wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').getByText('not known').waitFor();
      await page.getByLabel('API key').fill('sk-right');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.locator('.greeting').waitFor();
      await page.reload();
      await page.locator('.greeting').waitFor();
    },
  },
};
