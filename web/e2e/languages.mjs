import assert from 'node:assert/strict';
import { ask, ended, lastAnswer, until } from './actions.mjs';

export const languages = {
  'the interface speaks Chinese, and remembers': async ({ page }) => {
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByLabel('Language').selectOption('zh');
    await page.getByRole('heading', { name: '设置' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByText('今天想推敲什么？').waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN');
    await page.reload();
    await page.getByText('今天想推敲什么？').waitFor();
    await ask(page, '证明前 n 个奇数之和为 n²');
    await ended(page);
    assert.match(await page.locator('.thinking-toggle').innerText(), /已思考 \d+ 秒/);
    assert.match(await lastAnswer(page).innerText(), /无穷递降法/);
    assert.ok((await lastAnswer(page).locator('.katex').count()) > 2);
  },

  'light and dark can be chosen, and readable both': async ({ page }) => {
    const colours = () => page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]);
    const light = await colours();
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByLabel('Theme').selectOption('dark');
    await until(async () => (await colours())[0] !== light[0], 'the page turns dark');
    for (const [background, ink] of [light, await colours()]) assert.ok(contrast(background, ink) > 7, `${background} ${ink}`);
  },

  'the page fits a phone': async ({ page }) => {
    await page.setViewportSize({ width: 360, height: 700 });
    await ask(page, 'maths, code and a table');
    await ended(page);
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, document.querySelector('.scroller').scrollWidth, innerWidth]);
    assert.ok(widths[0] <= widths[2] && widths[1] <= widths[2], `no sideways scrolling: ${widths}`);
    assert.equal(await page.locator('.sidebar').isVisible(), false);
    await page.getByRole('button', { name: 'Open the list of conversations' }).click();
    await page.locator('.entry').first().waitFor();
    await page.mouse.click(350, 300);
    await until(async () => !(await page.locator('.sidebar').isVisible()), 'the list closes');
  },
};

function contrast(a, b) {
  const luminance = (colour) => {
    const [r, g, bl] = colour.match(/\d+/g).map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * bl;
  };
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}
