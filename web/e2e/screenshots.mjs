// Pictures of the page for the eye: node e2e/screenshots.mjs FOLDER (the site built before).
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startMock } from '../mock/main.mjs';
import { openBrowser } from './browser.mjs';

const folder = process.argv[2];
if (!folder) {
  console.error('usage: node e2e/screenshots.mjs FOLDER');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
const mock = await startMock({ site: new URL('../dist', import.meta.url).pathname, rate: 2000 });
const browser = await openBrowser();

async function ask(page, text) {
  await page.locator('#composer').fill(text);
  await page.keyboard.press('Enter');
}
const idle = (page) => page.locator('.send-stop').waitFor({ state: 'detached' });

async function tour(name, { scheme, width, height, locale }) {
  const page = await browser.context.newPage();
  await page.emulateMedia({ colorScheme: scheme });
  await page.setViewportSize({ width, height });
  const shot = (what) => page.screenshot({ path: join(folder, `${name}-${what}.png`) });
  await fetch(`${mock.address}/api/site/settings`, { method: 'PATCH', headers: { 'X-R1-Site': '1' }, body: JSON.stringify({ language: locale, search: false }) });
  await page.goto(mock.address);
  await page.locator('.greeting').waitFor();
  await page.waitForTimeout(700);
  await shot('greeting');
  await ask(page, locale === 'zh' ? '证明前 n 个奇数之和为 n²' : 'Sum the first n squares, with maths please');
  await page.waitForTimeout(300);
  await idle(page);
  await page.waitForTimeout(200);
  await shot('maths');
  await ask(page, 'Now code and a table');
  await page.waitForTimeout(300);
  await idle(page);
  await page.waitForTimeout(200);
  await shot('code');
  await ask(page, 'How did that go? slow');
  await page.waitForTimeout(2500);
  await shot('thinking');
  await page.keyboard.press('Escape');
  await idle(page);
  await page.locator('.switch').nth(1).click();
  await ask(page, 'How tall was the lighthouse? cite');
  await page.waitForTimeout(400);
  await idle(page);
  await page.locator('button.cite').last().click();
  await page.waitForTimeout(300);
  await shot('sources');
  await page.keyboard.press('Escape');
  await page.locator('input[type=file][multiple]').setInputFiles([{ name: 'measurements-of-the-tower.csv', mimeType: 'text/csv', buffer: Buffer.from('a,b\n'.repeat(900)) }]);
  await page.locator('#composer').fill('What do these numbers say?');
  await page.waitForTimeout(1200);
  await shot('file');
  for (const path of ['library', 'live']) {
    await page.goto(`${mock.address}/${path}`);
    await page.waitForTimeout(1500);
    await shot(path);
  }
  if (width < 800) {
    await page.locator('.top-bar .icon-button').first().click();
    await page.waitForTimeout(400);
    await shot('menu');
  } else {
    await page.locator('.side-link').last().click();
    await page.waitForTimeout(300);
    await shot('settings');
  }
  await page.close();
}

await tour('light', { scheme: 'light', width: 1280, height: 860, locale: 'en' });
await tour('dark', { scheme: 'dark', width: 1280, height: 860, locale: 'en' });
await tour('phone', { scheme: 'light', width: 390, height: 800, locale: 'en' });
await tour('chinese', { scheme: 'light', width: 1280, height: 860, locale: 'zh' });
await browser.close();
mock.server.closeAllConnections();
mock.server.close();
