// Printed, not asserted: how the page feels with much on it.
import assert from 'node:assert/strict';
import { ask, ended, importConversation, until } from './actions.mjs';

const PARAGRAPH = 'This is a paragraph of an answer with $x^2 + y^2 = z^2$, some **weight**, `code`, and enough words to be a paragraph of its own. ';

/** About 400 tokens, as answers are: text, maths, a list and code. */
const answer = (i) =>
  `## Answer ${i}\n\n${PARAGRAPH.repeat(3)}\n\n\\[\n\\int_0^{${i}} x^2 dx = \\frac{${i}^3}{3}\n\\]\n\n1. one\n2. two with $n_{${i}}$\n3. three\n\n\`\`\`python\nfor i in range(${i}):\n    print(i ** 2)  # squares\n\`\`\`\n\n${PARAGRAPH.repeat(4)}`;

/** Processor time of the page's main thread up to now, which other work on the machine does not change much. */
async function mainThread(context, page) {
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    const ms = (name) => Math.round((metrics.find((m) => m.name === name)?.value ?? 0) * 1000);
    return `main thread ${ms('TaskDuration')} ms, of it script ${ms('ScriptDuration')}, style and layout ${ms('RecalcStyleDuration') + ms('LayoutDuration')}`;
  };
}

async function typingDelays(page, keys) {
  await page.locator('#composer').click();
  await page.evaluate(() => {
    window.inputs = [];
    document.querySelector('#composer').addEventListener('keydown', () => {
      const start = performance.now();
      // After the next frame was painted: a task posted from its rendering.
      requestAnimationFrame(() => {
        const rendering = performance.now();
        const channel = new MessageChannel();
        channel.port1.onmessage = () => window.inputs.push({ work: performance.now() - rendering, whole: performance.now() - start });
        channel.port2.postMessage(0);
      });
    });
  });
  await page.keyboard.type('x'.repeat(keys), { delay: 60 });
  await page.waitForTimeout(200);
  const { inputs } = await page.evaluate(() => ({ inputs: window.inputs }));
  const sorted = (read) => inputs.map(read).sort((a, b) => a - b);
  const at = (values, share) => values[Math.min(values.length - 1, Math.floor(share * values.length))]?.toFixed(1);
  const work = sorted((i) => i.work);
  const whole = sorted((i) => i.whole);
  return `style, layout and paint after a key p50 ${at(work, 0.5)} ms, p95 ${at(work, 0.95)} ms; key to frame p50 ${at(whole, 0.5)} ms, p95 ${at(whole, 0.95)} ms`;
}

export const speed = {
  '500 messages': async ({ page, mock, context }) => {
    await importConversation(mock, 'conversation-500', 250, answer);
    await page.goto('about:blank');
    const work = await mainThread(context, page);
    const started = performance.now();
    await page.goto(`${mock.address}/c/conversation-500`);
    await page.locator('#n-answer-249 .katex').first().waitFor();
    await page.locator('#composer').click();
    const usable = performance.now() - started;
    const worked = await work();
    await until(async () => (await page.locator('.answer').count()) === 250, 'all are there');
    const gap = await page.locator('.scroller').evaluate((s) => s.scrollHeight - s.scrollTop - s.clientHeight);
    assert.ok(gap < 60, `opened at its end (${gap})`);
    console.log(`      500 messages: usable after ${usable.toFixed(0)} ms (${worked})`);
    console.log(`      typing with them (about 100,000 tokens): ${await typingDelays(page, 40)}`);
  },

  'one answer of 100,000 tokens': async ({ page, mock }) => {
    await importConversation(mock, 'conversation-100k', 1, () => Array.from({ length: 260 }, (_, i) => answer(i)).join('\n\n'));
    await page.goto('about:blank');
    const started = performance.now();
    await page.goto(`${mock.address}/c/conversation-100k`);
    await page.locator('.answer .katex').first().waitFor();
    await page.locator('#composer').click();
    console.log(`      one answer of 100,000 tokens: usable after ${(performance.now() - started).toFixed(0)} ms`);
    console.log(`      typing with it: ${await typingDelays(page, 40)}`);
  },

  'a long answer as it is written': {
    mock: { rate: 400 },
    run: async ({ page }) => {
      await page.getByRole('switch', { name: 'DeepThink' }).click();
      await page.evaluate(() => {
        window.longTasks = [];
        new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((e) => e.duration))).observe({ type: 'longtask' });
      });
      await ask(page, 'long 120');
      await page.waitForTimeout(4000);
      const typing = await typingDelays(page, 30);
      await page.getByRole('button', { name: 'Stop' }).click();
      await ended(page);
      const tasks = await page.evaluate(() => window.longTasks);
      console.log(`      typing while 400 tokens/s are written: ${typing}; tasks over 50 ms: ${tasks.length}`);
    },
  },
};
