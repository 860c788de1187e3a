// The official `@anthropic-ai/sdk` package.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { failure, messages, weather } from "./common.mjs";

export default function tests(base) {
  const anthropic = new Anthropic({ baseURL: base, apiKey: "secret", maxRetries: 0 });
  const tests = {};

  const ask = { model: "tiny", max_tokens: 24, messages };

  tests["a message, whole and streamed"] = async () => {
    const whole = await anthropic.messages.create({ ...ask, seed: 4 });
    assert.equal(whole.role, "assistant");
    assert.equal(whole.stop_reason, "max_tokens");
    assert.equal(whole.usage.output_tokens, 24);
    const streamed = await anthropic.messages.stream({ ...ask, seed: 4 }).finalMessage();
    assert.deepEqual(streamed.content, whole.content);
    assert.equal(streamed.stop_reason, "max_tokens");
  };

  tests["tools, tokens, errors"] = async () => {
    const tools = [{ name: "weather", input_schema: weather.function.parameters }];
    const request = { ...ask, max_tokens: 400, tools, tool_choice: { type: "any" }, thinking: { type: "disabled" } };
    const call = (await anthropic.messages.create(request)).content.find((block) => block.type === "tool_use");
    assert.ok(call.input.days >= 1);
    const streamed = await anthropic.messages.stream(request).finalMessage();
    assert.equal(streamed.stop_reason, "tool_use");
    const next = await anthropic.messages.create({ ...ask, tools, messages: [...messages,
      { role: "assistant", content: [call] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "rain" }] }] });
    assert.equal(next.type, "message");
    assert.ok((await anthropic.messages.countTokens({ model: "tiny", messages })).input_tokens > 0);
    assert.ok((await failure(anthropic.messages.create({ ...ask, temperature: 9 }))) instanceof Anthropic.BadRequestError);
    assert.ok((await failure(anthropic.messages.create({ ...ask, model: "x" }))) instanceof Anthropic.NotFoundError);
  };

  tests["today's fields"] = async () => {
    const answer = await anthropic.messages.create({ ...ask, thinking: { type: "adaptive" }, output_config: { effort: "low" },
      cache_control: { type: "ephemeral" }, inference_geo: "us", speed: "fast", max_tokens: 8000 });
    assert.equal(answer.type, "message");
    assert.match(answer._request_id, /^req_/);
    assert.match((await failure(anthropic.messages.create({ ...ask, whatever: 1 }))).requestID, /^req_/);
  };

  tests["an output format, parsed"] = async () => {
    const schema = { type: "object", properties: { word: { enum: ["a", "b"] } }, required: ["word"], additionalProperties: false };
    const answer = await anthropic.messages.parse({ ...ask, max_tokens: 200, thinking: { type: "disabled" },
      output_config: { format: { type: "json_schema", schema } } });
    const value = answer.parsed_output ?? JSON.parse(answer.content[0].text);
    assert.ok(["a", "b"].includes(value.word));
  };

  tests["the tool runner"] = async () => {
    const seen = [];
    const runner = anthropic.beta.messages.toolRunner({ ...ask, max_tokens: 400, max_iterations: 2, thinking: { type: "disabled" },
      tool_choice: { type: "any" }, tools: [{ name: "weather", description: "", input_schema: weather.function.parameters,
        run: (input) => { seen.push(input); return "rain"; }, parse: (input) => input }] });
    const turns = [];
    for await (const message of runner) turns.push(message);
    assert.equal(turns.length, 2);
    assert.ok(seen.length >= 1 && seen[0].days >= 1);
  };

  return tests;
}
