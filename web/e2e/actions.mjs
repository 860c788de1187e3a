// What a user does, and what a test waits for.

/** A test that needs no scripted model: it runs against any server. */
export const anyServer = (run) => ({ anyServer: true, run });

export async function ask(page, text) {
  await page.locator('#composer').fill(text);
  await page.locator('#composer').press('Enter');
  await page.locator('.question').last().waitFor();
}

export const answers = (page) => page.locator('.answer');
export const lastAnswer = (page) => page.locator('.answer').last();

/** Until the last answer has ended. */
export async function ended(page) {
  await page.locator('.send:not(.send-stop)').waitFor();
  await lastAnswer(page).locator('button[aria-label="Another answer"], button[aria-label="换一个回答"]').waitFor();
}

export async function askAndWait(page, text) {
  const before = await answers(page).count();
  await ask(page, text);
  await answers(page).nth(before).waitFor(); // its own answer, not the one before; it may be over already
  await ended(page);
}

/** The text of the last answer without its thoughts. */
export const answerText = (page) => lastAnswer(page).locator('> .rich').innerText();

export async function until(condition, what, timeout = 8000) {
  for (const start = Date.now(); Date.now() - start < timeout; ) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within ${timeout} ms: ${what}`);
}

/** Puts a conversation of `turns` turns on the server. */
export async function importConversation(mock, id, turns, answer, extra = {}) {
  const nodes = [];
  for (let i = 0; i < turns; i++) {
    nodes.push({ id: `question-${i}`, parent: i === 0 ? null : `answer-${i - 1}`, role: 'user', created: i, content: `Question number ${i}`, files: [] });
    nodes.push({
      id: `answer-${i}`, parent: `question-${i}`, role: 'assistant', created: i, content: answer(i), reasoning: 'Some thought.', thinking_ms: 1200, state: 'done', error: null,
      model: 'm', deep_think: true, search: false, sources: [], usage: null, timing: null, ...extra,
    });
  }
  const document = { format: 'r1-conversations', version: 1, conversations: [{ id, title: `Imported ${id}`, created: 0, updated: Date.now(), leaf: `answer-${turns - 1}`, nodes }] };
  const response = await fetch(`${mock.address}/api/site/import`, { method: 'POST', headers: { 'X-R1-Site': '1', 'Content-Type': 'application/json' }, body: JSON.stringify(document) });
  if (!response.ok) throw new Error(await response.text());
}
