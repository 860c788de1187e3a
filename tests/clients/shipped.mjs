// The official clients ask the model that ships, which `r1 serve` opens when none is named: answers have a meaning here.
// Usage: node shipped.mjs PATH-TO-R1
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { runAll, startServer } from "./server.mjs";

const server = await startServer(process.argv[2], ["--api-key", "secret", "--no-site"]);
const openai = new OpenAI({ baseURL: `${server.base}/v1`, apiKey: "secret", maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: server.base, apiKey: "secret", maxRetries: 0 });
const [{ id: model }] = (await openai.models.list()).data;
const messages = [{ role: "user", content: "What is 17+25?" }];
const WORKING = "17+25=[7+5=12 1+2+1=4]=42";
const tests = {};

tests["it is listed under its own name"] = () => assert.match(model, /^r1-first-/);

tests["a chat: worked in the reasoning, boxed in the content"] = async () => {
  const { choices: [{ message, finish_reason }], usage } = await openai.chat.completions.create({ model, messages, temperature: 0 });
  assert.equal(message.reasoning_content, WORKING);
  assert.match(message.content, /\\boxed\{42\}/);
  assert.equal(finish_reason, "stop");
  assert.ok(usage.completion_tokens_details.reasoning_tokens > 15);
};

tests["the same, streamed"] = async () => {
  let reasoning = "", content = "";
  for await (const chunk of await openai.chat.completions.create({ model, messages, temperature: 0, stream: true })) {
    reasoning += chunk.choices[0]?.delta.reasoning_content ?? "";
    content += chunk.choices[0]?.delta.content ?? "";
    assert.ok(!(chunk.choices[0]?.delta.reasoning_content && content), "no reasoning behind the answer");
  }
  assert.equal(reasoning, WORKING);
  assert.match(content, /\\boxed\{42\}/);
};

tests["a conversation goes on, in Chinese too"] = async () => {
  const first = await openai.chat.completions.create({ model, messages, temperature: 0 });
  const second = await openai.chat.completions.create({ model, temperature: 0,
    messages: [...messages, first.choices[0].message, { role: "user", content: "小明有17个苹果，又买了25个，现在有多少个？" }] });
  assert.match(second.choices[0].message.content, /\\boxed\{42\}/);
};

tests["several answers, most of them right"] = async () => {
  const { choices } = await openai.chat.completions.create({ model, messages, n: 8, seed: 1 });
  assert.ok(choices.filter((one) => /\\boxed\{42\}/.test(one.message.content)).length > 4);
};

tests["responses"] = async () => {
  const response = await openai.responses.create({ model, input: "What is 17+25?", temperature: 0 });
  assert.equal(response.status, "completed");
  assert.match(response.output_text, /\\boxed\{42\}/);
  assert.ok(response.output.some((item) => item.type === "reasoning"));
};

tests["anthropic: a thinking block and a text"] = async () => {
  const message = await anthropic.messages.create({ model, messages, max_tokens: 1500, temperature: 0,
    thinking: { type: "enabled", budget_tokens: 1024 } });
  assert.deepEqual(message.content.map((block) => block.type), ["thinking", "text"]);
  assert.equal(message.content[0].thinking, WORKING);
  assert.match(message.content[1].text, /\\boxed\{42\}/);
  assert.equal(message.stop_reason, "end_turn");
};

const failed = await runAll(tests);
const code = await server.stop();
if (code !== 0) console.log(`FAIL  the server ended with ${code}`);
process.exit(failed > 0 || code !== 0 ? 1 : 0);
