// The page, the server and the model that ships, together: what a new user sees.
import assert from 'node:assert/strict';
import { answerText, askAndWait, lastAnswer, until } from './actions.mjs';

export const shippedModel = {
  'shipped model: a sum is worked out in the thoughts and typeset in the answer, in English and Chinese': {
    shippedModel: true,
    run: async ({ page }) => {
      page.setDefaultTimeout(30_000);
      await askAndWait(page, 'What is 17+25?');
      assert.match(await answerText(page), /42/);
      await lastAnswer(page).locator('.rich .fbox').waitFor(); // \boxed{42}, typeset
      await lastAnswer(page).locator('.thinking-toggle').click();
      assert.match(await lastAnswer(page).locator('.thoughts').innerText(), /17\+25=\[7\+5=12 1\+2\+1=4\]=42/);
      await askAndWait(page, '小明有17个苹果，又买了25个，现在有多少个？');
      assert.match(await answerText(page), /答案是/);
      assert.match(await answerText(page), /42/);
      await page.reload();
      await until(async () => /42/.test(await answerText(page)), 'it is there after a reload');
    },
  },
};
