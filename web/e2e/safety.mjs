import assert from 'node:assert/strict';
import { answerText, askAndWait, lastAnswer } from './actions.mjs';

export const safety = {
  'what a model writes runs nothing and fetches nothing': async ({ page }) => {
    await askAndWait(page, 'unsafe');
    assert.match(await answerText(page), /<script>document\.title/);
    assert.notEqual(await page.title(), 'owned');
    assert.equal(await lastAnswer(page).locator('img, script').count(), 0);
    assert.equal(await lastAnswer(page).locator('a[href^=javascript]').count(), 0);
  },

  'HTML is made in one place only': {
    expected: /requires 'TrustedHTML'/,
    run: async ({ page }) => {
    const refused = await page.evaluate(() => {
      try {
        document.createElement('div').innerHTML = '<b>x</b>';
        return false;
      } catch {
        return true;
      }
    });
    assert.ok(refused, 'Trusted Types refuse plain strings');
    },
  },
};
