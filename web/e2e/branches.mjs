import assert from 'node:assert/strict';
import { answerText, askAndWait, ended, lastAnswer, until } from './actions.mjs';

export const branches = {
  'regenerating makes versions of an answer to turn between': async ({ page }) => {
    await askAndWait(page, 'Something short');
    await page.getByRole('button', { name: 'Another answer' }).click();
    await until(async () => (await lastAnswer(page).innerText()).includes('Version 2'), 'the second version');
    await ended(page);
    assert.match(await page.locator('.answer .branch').innerText(), /2\/2/);
    await page.locator('.answer').getByRole('button', { name: 'Previous version' }).click();
    await until(async () => !(await answerText(page)).includes('Version 2'), 'the first version');
    assert.match(await page.locator('.answer .branch').innerText(), /1\/2/);
    assert.ok(await page.locator('.answer').getByRole('button', { name: 'Previous version' }).isDisabled());
    await page.waitForTimeout(100);
    await page.reload();
    await page.locator('.answer .branch').waitFor();
    assert.match(await page.locator('.answer .branch').innerText(), /1\/2/, 'the branch survives a reload');
  },

  'editing a question asks on a branch of its own, and the old one stays': async ({ page }) => {
    await askAndWait(page, 'First question');
    await askAndWait(page, 'Second question');
    await page.locator('.question').first().hover();
    await page.locator('.question').first().getByRole('button', { name: 'Edit' }).click();
    await page.getByRole('textbox', { name: 'Edit the question' }).fill('First question, edited');
    await page.getByRole('button', { name: 'Ask anew' }).click();
    await until(async () => (await page.locator('.question').count()) === 1, 'the new branch has one question');
    await ended(page);
    assert.match(await page.locator('.question').innerText(), /edited/);
    assert.match(await page.locator('.question .branch').innerText(), /2\/2/);
    await page.locator('.question').getByRole('button', { name: 'Previous version' }).click();
    await until(async () => (await page.locator('.question').count()) === 2, 'the old branch has two');
    assert.match(await page.locator('.question').last().innerText(), /Second question/);
  },

  'a conversation has three versions of one answer: <2/3>': async ({ page }) => {
    await askAndWait(page, 'Short');
    for (const version of [2, 3]) {
      await page.getByRole('button', { name: 'Another answer' }).click();
      await until(async () => (await lastAnswer(page).innerText()).includes(`Version ${version}`), `version ${version}`);
      await ended(page);
    }
    await page.locator('.answer').getByRole('button', { name: 'Previous version' }).click();
    await until(async () => (await page.locator('.answer .branch').innerText()).includes('2/3'), '2/3');
    assert.equal(await page.getByRole('group', { name: 'Version 2 of 3' }).count(), 1);
  },
};
