import assert from 'node:assert/strict';
import { askAndWait, lastAnswer } from './actions.mjs';

export const sources = {
  'citations are chips that lead to their source; unknown numbers are flagged and lead nowhere': async ({ page }) => {
    await page.getByRole('switch', { name: 'Search' }).click();
    await askAndWait(page, 'How tall was the lighthouse? cite');
    assert.equal(await lastAnswer(page).locator('button.cite').count(), 4);
    assert.equal(await lastAnswer(page).locator('.cite-unknown').count(), 1);
    assert.match(await lastAnswer(page).locator('.cite-unknown').getAttribute('title'), /no source 9/);
    await lastAnswer(page).getByRole('button', { name: 'Source 3: Visibility of lights at sea' }).click();
    assert.match(await page.locator('.source-pointed').innerText(), /Visibility/);
    assert.equal(await page.locator('.source a').first().getAttribute('href'), 'https://example.org/pharos');
    await page.getByRole('button', { name: 'Show text' }).click();
    await page.getByRole('dialog').getByText('depending on whom').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.sources').getByRole('button', { name: 'Close' }).click();
    assert.equal(await page.locator('.sources').count(), 0);
  },

  'without search the same words are no chips': async ({ page }) => {
    await askAndWait(page, 'cite');
    assert.equal(await lastAnswer(page).locator('button.cite').count(), 0);
    assert.equal(await page.locator('.sources-button').count(), 0);
  },
};
