// The page in a real browser. Against the mock server: npm run e2e. Against another: npm run e2e -- --server URL
// (only tests that need no scripted model), or against the program with the model that ships: npm run e2e -- --program
// ../build/release/r1. One test: npm run e2e -- --only WORDS
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { startMock } from '../mock/main.mjs';
import { answering } from './answering.mjs';
import { anyServer } from './any_server.mjs';
import { branches } from './branches.mjs';
import { openBrowser } from './browser.mjs';
import { files } from './files.mjs';
import { history } from './history.mjs';
import { keyboard } from './keyboard.mjs';
import { languages } from './languages.mjs';
import { pages } from './pages.mjs';
import { startProgram } from './program.mjs';
import { safety } from './safety.mjs';
import { shippedModel } from './shipped_model.mjs';
import { sources } from './sources.mjs';
import { speed } from './speed.mjs';

const { values } = parseArgs({ options: { server: { type: 'string' }, program: { type: 'string' }, only: { type: 'string' } } });
const SITE = new URL('../dist', import.meta.url).pathname;
const tests = [anyServer, shippedModel, answering, branches, history, files, sources, keyboard, languages, pages, safety, speed].flatMap(Object.entries);

/** A page that fails its test on any error, refused resource, or request to elsewhere. */
async function openPage(context, address) {
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
  page.on('console', (message) => {
    const text = message.text();
    if (message.type() === 'error' && !/Failed to load resource/.test(text)) problems.push(`console: ${text}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(address) && !/^(?:blob|data|about):/.test(request.url())) problems.push(`request to ${request.url()}`);
  });
  page.setDefaultTimeout(8000);
  return { page, problems };
}

async function run(name, test, browser) {
  const mock = values.server ? { address: values.server } : await startMock({ site: SITE, rate: 800, ...test.mock });
  const { page, problems } = await openPage(browser.context, mock.address);
  const started = performance.now();
  try {
    await page.goto(mock.address);
    await (test.run ?? test)({ page, mock, context: browser.context });
    assert.deepEqual(problems.filter((problem) => !test.expected?.test(problem)), []);
    console.log(`ok    ${name} (${Math.round(performance.now() - started)} ms)`);
    return true;
  } catch (error) {
    console.log(`FAIL  ${name}\n${error.stack}\n${problems.join('\n')}`);
    await page.screenshot({ path: `/tmp/e2e-${name.replace(/\W+/g, '-').slice(0, 60)}.png` }).catch(() => undefined);
    return false;
  } finally {
    await browser.context.clearCookies();
    await page.close();
    mock.server?.closeAllConnections();
    mock.server?.close();
  }
}

const program = values.program ? await startProgram(values.program) : undefined;
if (program) values.server = program.address;
const browser = await openBrowser();
let failed = 0;
let ran = 0;
for (const [name, test] of tests) {
  if (values.only && !name.includes(values.only)) continue;
  if (values.server ? !test.anyServer && !(program && test.shippedModel) : test.shippedModel) continue;
  ran++;
  if (!(await run(name, test, browser))) failed++;
}
await browser.close();
await program?.stop();
console.log(`${ran - failed} of ${ran} passed`);
process.exit(failed === 0 && ran > 0 ? 0 : 1);
