// The official `openai` package: chats, completions, responses, embeddings.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { failure, messages, weather } from "./common.mjs";

export default function tests(base) {
  const openai = new OpenAI({ baseURL: `${base}/v1`, apiKey: "secret", maxRetries: 0 });
  const chat = (more) => openai.chat.completions.create({ model: "tiny", messages, max_tokens: 24, seed: 1, ...more });
  const tests = {};

  async function metric(line) {
    const response = await fetch(`${base}/metrics`, { headers: { authorization: "Bearer secret" } });
    const found = (await response.text()).split("\n").find((one) => one.startsWith(line + " "));
    return found === undefined ? undefined : Number(found.slice(line.length + 1));
  }


  tests["models are listed"] = async () => {
    const names = [];
    for await (const one of openai.models.list()) names.push(one.id);
    assert.deepEqual(names, ["tiny"]);
    assert.equal((await openai.models.retrieve("tiny")).object, "model");
  };

  tests["a chat, whole and streamed, is the same"] = async () => {
    const whole = await chat({});
    assert.equal(whole.object, "chat.completion");
    assert.equal(whole.usage.completion_tokens, 24);
    assert.equal(whole.choices[0].finish_reason, "length");
    const { message } = whole.choices[0];
    let reasoning = "", content = "", usage;
    for await (const chunk of await chat({ stream: true, stream_options: { include_usage: true } })) {
      usage = chunk.usage ?? usage;
      reasoning += chunk.choices[0]?.delta.reasoning_content ?? "";
      content += chunk.choices[0]?.delta.content ?? "";
    }
    assert.equal(reasoning, message.reasoning_content ?? "");
    assert.equal(content, message.content);
    assert.equal(usage.completion_tokens, 24);
    assert.ok(usage.prompt_tokens_details.cached_tokens > 0);
    assert.ok(usage.completion_tokens_details.reasoning_tokens > 0);
  };

  tests["every parameter is taken"] = async () => {
    const answer = await chat({
      n: 2, stop: ["never said"], temperature: 0.9, top_p: 0.8, presence_penalty: 0.5, frequency_penalty: 0.5,
      logit_bias: { 65: -100 }, logprobs: true, top_logprobs: 3, max_tokens: undefined, max_completion_tokens: 12,
      reasoning_effort: "low", user: "someone", top_k: 20, min_p: 0.01, repetition_penalty: 1.1, enable_thinking: true,
    });
    assert.equal(answer.choices.length, 2);
    assert.notEqual(answer.choices[0].message.reasoning_content, answer.choices[1].message.reasoning_content);
    const tokens = [...answer.choices[0].logprobs.content, ...(answer.choices[0].logprobs.reasoning_content ?? [])];
    assert.ok(tokens.length > 0 && tokens.every((one) => one.top_logprobs.length === 3 && one.logprob <= 0));
  };

  tests["errors have types"] = async () => {
    assert.ok((await failure(chat({ temperature: 7 }))) instanceof OpenAI.BadRequestError);
    const unknown = await failure(chat({ tempo: 1 }));
    assert.equal(unknown.status, 400);
    assert.equal(unknown.param, "tempo");
    assert.equal(unknown.code, "unknown_parameter");
    assert.ok((await failure(chat({ model: "gpt" }))) instanceof OpenAI.NotFoundError);
    const stranger = new OpenAI({ baseURL: `${base}/v1`, apiKey: "wrong", maxRetries: 0 });
    assert.ok((await failure(stranger.models.list())) instanceof OpenAI.AuthenticationError);
    const long = await failure(chat({ messages: [{ role: "user", content: "x".repeat(5000) }] }));
    assert.equal(long.code, "context_length_exceeded");
  };

  tests["an aborted stream frees its memory"] = async () => {
    const stream = await chat({ stream: true, max_tokens: 1900, ignore_eos: true, loop_detection: false });
    for await (const _ of stream) {
      stream.controller.abort();
      break;
    }
    const cancelled = 'r1_completions_total{model="tiny",reason="cancelled"}';
    for (let i = 0; i < 400 && !((await metric(cancelled)) >= 1); ++i)
      await new Promise((resolve) => setTimeout(resolve, 25));
    assert.ok((await metric(cancelled)) >= 1);
    // The figures are published at the end of the step that took the cancellation in.
    for (let i = 0; i < 200 && (await metric('r1_kv_blocks{model="tiny",state="used"}')) !== 0; ++i)
      await new Promise((resolve) => setTimeout(resolve, 25));
    assert.equal(await metric('r1_kv_blocks{model="tiny",state="used"}'), 0);
  };

  tests["required tool calls, whole and streamed by index"] = async () => {
    const request = { tools: [weather], tool_choice: "required", parallel_tool_calls: false, max_tokens: 400,
      thinking_budget: 8 };
    const { message, finish_reason } = (await chat(request)).choices[0];
    assert.equal(finish_reason, "tool_calls");
    const given = JSON.parse(message.tool_calls[0].function.arguments);
    assert.ok(typeof given.city === "string" && given.days >= 1 && given.days <= 9);
    const stream = openai.chat.completions.stream({ model: "tiny", messages, seed: 1, ...request });
    const final = await stream.finalMessage();
    assert.equal(final.tool_calls.length, 1);
    assert.deepEqual(JSON.parse(final.tool_calls[0].function.arguments), given);
    const next = await chat({ tools: [weather], messages: [...messages, final,
      { role: "tool", tool_call_id: final.tool_calls[0].id, content: "rain" }] });
    assert.equal(next.choices.length, 1);
  };

  const corpus = [
    { type: "object", properties: { a: { type: "boolean" }, b: { enum: ["x", "y"] } }, required: ["a", "b"], additionalProperties: false },
    { type: "object", properties: { list: { type: "array", items: { type: "integer", minimum: 0, maximum: 99 }, minItems: 1, maxItems: 4 } }, required: ["list"], additionalProperties: false },
    { type: "object", properties: { date: { type: "string", format: "date" }, id: { type: "string", pattern: "^[A-Z]{2}[0-9]{3}$" } }, required: ["date", "id"], additionalProperties: false },
    { type: "object", properties: { v: { anyOf: [{ type: "null" }, { type: "number", minimum: 0, maximum: 10 }] } }, required: ["v"], additionalProperties: false },
  ];

  tests["schema-bound answers are valid"] = async () => {
    for (const schema of corpus) {
      for (const seed of [1, 2, 3]) {
        const answer = await chat({ seed, max_tokens: 500, thinking_budget: 5, temperature: 1, top_p: 1,
          response_format: { type: "json_schema", json_schema: { name: "x", schema, strict: true } } });
        const value = JSON.parse(answer.choices[0].message.content);
        assert.deepEqual(Object.keys(value), schema.required);
        if (value.list) assert.ok(value.list.length <= 4 && value.list.every((one) => Number.isInteger(one) && one < 100));
        if (value.id) assert.match(value.id, /^[A-Z]{2}[0-9]{3}$/);
        if (value.date) assert.ok(!Number.isNaN(Date.parse(value.date)));
      }
    }
    const regex = await chat({ guided_regex: "(yes|no)", enable_thinking: false });
    assert.match(regex.choices[0].message.content, /^(yes|no)$/);
    const refused = await failure(chat({ response_format: { type: "json_schema", json_schema: { name: "x", schema: { not: {} } } } }));
    assert.equal(refused.code, "unsupported_schema");
  };

  tests["completions continue texts"] = async () => {
    const answer = await openai.completions.create({ model: "tiny", prompt: ["a", "b"], max_tokens: 4, logprobs: 2 });
    assert.equal(answer.choices.length, 2);
    assert.equal(answer.choices[0].logprobs.tokens.length, 4);
    const refused = await failure(openai.completions.create({ model: "tiny", prompt: "a", suffix: "b" }));
    assert.equal(refused.param, "suffix");
  };

  tests["responses, whole and streamed"] = async () => {
    const request = { model: "tiny", input: "hi", max_output_tokens: 24, seed: 1 };
    const whole = await openai.responses.create(request);
    assert.equal(whole.object, "response");
    assert.equal(whole.status, "incomplete");
    assert.equal(whole.incomplete_details.reason, "max_output_tokens");
    assert.equal(whole.usage.output_tokens, 24);
    assert.ok(whole.output.every((item) => ["reasoning", "message"].includes(item.type)));
    const kinds = new Set();
    const stream = openai.responses.stream(request).on("event", (event) => kinds.add(event.type));
    const final = await stream.finalResponse();
    const texts = (response) => response.output.map((item) => item.content.map((part) => part.text));
    assert.deepEqual(texts(final), texts(whole));
    assert.equal(final.output_text, whole.output_text);
    for (const kind of ["response.created", "response.output_item.added", "response.content_part.done", "response.incomplete"])
      assert.ok(kinds.has(kind), kind);
  };

  tests["responses: functions, schemas, errors"] = async () => {
    const { name, parameters } = weather.function;
    const tools = [{ type: "function", name, parameters, strict: true }];
    const request = { model: "tiny", input: "hi", seed: 1, max_output_tokens: 400, thinking_budget: 8, tools, tool_choice: "required" };
    const called = await openai.responses.create(request);
    const call = called.output.find((item) => item.type === "function_call");
    assert.ok(JSON.parse(call.arguments).days >= 1);
    const streamed = (await openai.responses.stream(request).finalResponse()).output.find((item) => item.type === "function_call");
    assert.equal(streamed.arguments, call.arguments);
    const next = await openai.responses.create({ model: "tiny", max_output_tokens: 16, tools, input: [{ role: "user", content: "hi" },
      ...called.output, { type: "function_call_output", call_id: call.call_id, output: "rain" }] });
    assert.equal(next.object, "response");
    const schema = corpus[0];
    const bound = await openai.responses.create({ model: "tiny", input: "hi", seed: 1, max_output_tokens: 400, reasoning: { effort: "none" },
      text: { format: { type: "json_schema", name: "x", schema, strict: true } } });
    assert.deepEqual(Object.keys(JSON.parse(bound.output_text)), schema.required);
    assert.equal((await failure(openai.responses.create({ model: "tiny", input: "x", previous_response_id: "resp_1" }))).param, "previous_response_id");
  };

  tests["embeddings"] = async () => {
    const both = await openai.embeddings.create({ model: "tiny", input: ["one text", "another text"] }); // asks for base64
    assert.equal(both.data.length, 2);
    const [first, second] = both.data.map((one) => one.embedding);
    const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
    assert.ok(Math.abs(dot(first, first) - 1) < 1e-5 && dot(first, second) < 0.9999);
    const plain = await openai.embeddings.create({ model: "tiny", input: "one text", encoding_format: "float" });
    assert.ok(Math.abs(dot(first, plain.data[0].embedding) - 1) < 1e-5);
    assert.ok(both.usage.prompt_tokens > 2);
  };

  tests["log-probabilities join to the text"] = async () => {
    const { choices: [{ message, logprobs }] } = await chat({ logprobs: true, top_logprobs: 1, thinking_budget: 8, max_tokens: 40 });
    const joined = (list) => Buffer.concat(list.map((one) => Buffer.from(one.bytes))).toString();
    assert.equal(joined(logprobs.content), message.content);
    assert.equal(joined(logprobs.reasoning_content ?? []), message.reasoning_content ?? "");
  };

  tests["max_tokens beyond the context is an upper bound"] = async () => {
    const answer = await chat({ max_tokens: 64000, ignore_eos: true, loop_detection: false, temperature: 1 });
    assert.equal(answer.usage.total_tokens, 2048);
    assert.equal(answer.choices[0].finish_reason, "length");
  };

  tests["pages of an allowed origin may send the client's headers"] = async () => {
    const sent = {};
    const browser = new OpenAI({ baseURL: `${base}/v1`, apiKey: "secret", maxRetries: 0, dangerouslyAllowBrowser: true,
      organization: "o", fetch: (url, init) => { for (const [name] of new Headers(init.headers)) sent[name] = true; return fetch(url, init); } });
    await browser.models.list();
    const names = Object.keys(sent).filter((name) => !["accept", "content-type"].includes(name)).join(",");
    assert.match(names, /x-stainless-lang/);
    const preflight = await fetch(`${base}/v1/chat/completions`, { method: "OPTIONS", headers: { origin: "https://app.example",
      "access-control-request-method": "POST", "access-control-request-headers": names } });
    assert.equal(preflight.headers.get("access-control-allow-headers"), names);
  };

  tests["responses: references to items, tools of others"] = async () => {
    const first = await openai.responses.create({ model: "tiny", input: "hi", max_output_tokens: 40, thinking_budget: 4 });
    const input = [{ role: "user", content: "hi" }, ...first.output.map(({ id }) => ({ type: "item_reference", id })), { role: "user", content: "on" }];
    const second = await openai.responses.create({ model: "tiny", input, max_output_tokens: 4,
      tools: [{ type: "web_search" }, { type: "function", name: "weather", parameters: weather.function.parameters }] });
    assert.deepEqual(second.tools.map((one) => one.type), ["function"]);
  };

  return tests;
}
