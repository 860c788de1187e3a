import assert from 'node:assert/strict';
import { anyServer, askAndWait, until } from './actions.mjs';

const csv = { name: 'numbers.csv', mimeType: 'text/csv', buffer: Buffer.from('a,b\n1,2\n'.repeat(50)) };
const picker = (page) => page.locator('.composer input[type=file]');

export const files = {
  'a file shows its text and cost before it is sent, and stays with the question': anyServer(async ({ page }) => {
    await picker(page).setInputFiles(csv);
    await page.locator('.composer .chip-cost', { hasText: /\d+ tokens/ }).waitFor();
    await page.getByRole('button', { name: 'Show the text taken from numbers.csv' }).click();
    assert.match(await page.getByRole('dialog').innerText(), /a,b\n1,2/);
    await page.keyboard.press('Escape');
    await until(async () => Number(await page.getByRole('meter').getAttribute('aria-valuenow')) > 100, 'the meter counts the file');
    await askAndWait(page, 'What do they say?');
    assert.equal(await page.locator('.composer .chip').count(), 0);
    await page.locator('.question .chip', { hasText: 'numbers.csv' }).waitFor();
  }),

  'a file can be taken away again': anyServer(async ({ page }) => {
    await picker(page).setInputFiles(csv);
    await page.getByRole('button', { name: 'Remove numbers.csv' }).click();
    assert.equal(await page.locator('.chip').count(), 0);
    assert.ok(await page.getByRole('button', { name: 'Send' }).isDisabled());
  }),

  'a file that cannot be read says why': async ({ page }) => {
    await picker(page).setInputFiles({ name: 'scan.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF') });
    await page.getByText('scan.pdf: no text in this PDF').waitFor();
    assert.equal(await page.locator('.chip').count(), 0);
  },

  'files can be dropped': anyServer(async ({ page }) => {
    const transfer = await page.evaluateHandle(() => {
      const data = new DataTransfer();
      data.items.add(new File(['dropped text'], 'dropped.txt', { type: 'text/plain' }));
      return data;
    });
    await page.dispatchEvent('.conversation', 'dragover', { dataTransfer: transfer });
    await page.getByText('Drop files to attach them').waitFor();
    await page.dispatchEvent('.conversation', 'drop', { dataTransfer: transfer });
    await page.locator('.chip', { hasText: 'dropped.txt' }).waitFor();
  }),
};
