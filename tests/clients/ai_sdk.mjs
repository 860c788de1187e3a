// Vercel's AI SDK over its providers: @ai-sdk/openai-compatible, deepseek and openai (chats and responses), anthropic.
import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createDeepSeek } from "@ai-sdk/deepseek";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import { failure, weather } from "./common.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

export default function tests(base) {
  const settings = { baseURL: `${base}/v1`, apiKey: "secret" };
  const compatible = createOpenAICompatible({ ...settings, name: "r1", includeUsage: true, supportsStructuredOutputs: true });
  const openai = createOpenAI(settings);
  const anthropic = createAnthropic(settings);
  const deepseek = createDeepSeek(settings);
  // How each provider says "no thinking", so that random weights come to an answer.
  const providers = {
    "openai-compatible": { model: (name) => compatible(name), direct: { r1: { reasoningEffort: "none" } } },
    // DeepSeek's own API has JSON without a schema.
    "deepseek": { plain: true, model: (name) => deepseek(name), direct: { deepseek: { thinking: { type: "disabled" } } } },
    // These two do not read the thinking of others' models.
    "openai, chats": { hidden: true, model: (name) => openai.chat(name), direct: { openai: { forceReasoning: true, reasoningEffort: "none" } } },
    "openai, responses": { hidden: true, model: (name) => openai.responses(name), direct: { openai: { forceReasoning: true, reasoningEffort: "none" } } },
    "anthropic": { model: (name) => anthropic(name), direct: { anthropic: { thinking: { type: "disabled" } } } },
  };
  const tests = {};

  for (const [provider, { model, direct, hidden, plain }] of Object.entries(providers)) {
    const common = { model: model("tiny"), maxRetries: 0, temperature: 0, maxOutputTokens: 24 };

    tests[`${provider}: a text, whole and streamed, is the same`] = async () => {
      const whole = await generateText({ ...common, prompt: "hi" });
      assert.equal(whole.usage.outputTokens, 24);
      assert.equal(whole.finishReason, "length");
      const stream = streamText({ ...common, prompt: "hi", onError: ({ error }) => { throw error; } });
      let text = "", reasoning = "";
      for await (const part of stream.fullStream) {
        if (part.type === "error") throw part.error;
        if (part.type === "text-delta") text += part.text;
        if (part.type === "reasoning-delta") reasoning += part.text;
      }
      assert.equal(text, whole.text);
      assert.ok(hidden || text.length + reasoning.length > 0);
      assert.equal((await stream.usage).outputTokens, 24);
    };

    const call = { ...common, maxOutputTokens: 400, prompt: "hi", providerOptions: direct, toolChoice: { type: "tool", toolName: "weather" },
      stopWhen: stepCountIs(2) };
    const tools = (seen) => ({ weather: tool({ description: "the weather", inputSchema: jsonSchema(weather.function.parameters),
      execute: async (input) => { seen.push(input); return { text: "rain" }; } }) });

    tests[`${provider}: tools, their results sent back`] = async () => {
      const seen = [];
      const whole = await generateText({ ...call, tools: tools(seen) });
      assert.equal(whole.steps.length, 2, "the second request has the first call and its result");
      assert.ok(seen.length >= 1 && seen.every((input) => input.days >= 1 && input.days <= 9));
    };

    tests[`${provider}: tools, streamed`] = async () => {
      const seen = [];
      const stream = streamText({ ...call, tools: tools(seen), onError: ({ error }) => { throw error; } });
      for await (const part of stream.fullStream) if (part.type === "error") throw part.error;
      assert.equal((await stream.steps).length, 2);
      assert.ok(seen.length >= 1 && seen.every((input) => typeof input.city === "string"));
    };

    tests[`${provider}: a structured output`] = async () => {
      const schema = jsonSchema({ type: "object", properties: { list: { type: "array", items: { type: "integer", minimum: 0, maximum: 99 },
        maxItems: 4 }, word: { enum: ["a", "b"] } }, required: ["list", "word"], additionalProperties: false });
      const { output } = await generateText({ ...common, maxOutputTokens: 400, prompt: "hi", providerOptions: direct,
        output: Output.object({ schema }) });
      assert.ok(plain ? typeof output === "object" : Array.isArray(output.list) && ["a", "b"].includes(output.word));
    };

    tests[`${provider}: errors`] = async () => {
      const unknown = await failure(generateText({ ...common, model: model("gpt"), prompt: "hi" }));
      assert.equal(unknown.statusCode, 404);
      assert.match(unknown.message, /not served here/);
      const long = await failure(generateText({ ...common, prompt: "x".repeat(5000) }));
      assert.equal(long.statusCode, 400);
    };

    tests[`${provider}: an answer sent back with its thinking`] = async () => {
      const first = await generateText({ ...common, prompt: "hi" });
      const second = await generateText({ ...common, messages: [{ role: "user", content: "hi" }, ...first.response.messages,
        { role: "user", content: [{ type: "text", text: "one" }, { type: "text", text: "two" }] }] });
      assert.ok(second.usage.inputTokens > 0);
    };
  }

  tests["openai-compatible: embeddings"] = async () => {
    const { embeddings } = await embedMany({ model: compatible.embeddingModel("tiny"), values: ["one text", "another"], maxRetries: 0 });
    assert.equal(embeddings.length, 2);
    assert.ok(Math.abs(embeddings[0].reduce((sum, x) => sum + x * x, 0) - 1) < 1e-5);
  };

  tests["deepseek: log-probabilities"] = async () => {
    let body;
    const reading = createDeepSeek({ ...settings, fetch: async (...request) => {
      const response = await fetch(...request);
      body = await response.clone().json();
      return response;
    } });
    await generateText({ model: reading("tiny"), maxRetries: 0, maxOutputTokens: 24, prompt: "hi",
      providerOptions: { deepseek: { thinking: { type: "disabled" }, logprobs: true, topLogprobs: 2 } } });
    const { choices: [{ logprobs, message }] } = body;
    assert.equal(logprobs.content.map((one) => one.token).join(""), message.content);
    assert.ok(logprobs.content.every((one) => one.top_logprobs.length === 2));
  };

  return tests;
}
