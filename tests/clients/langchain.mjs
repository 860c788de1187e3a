// LangChain's @langchain/openai, on chats and on responses.
import assert from "node:assert/strict";
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI, OpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { failure, weather } from "./common.mjs";

export default function tests(base) {
  const settings = { model: "tiny", apiKey: "secret", maxRetries: 0, configuration: { baseURL: `${base}/v1` } };
  const tests = {};
  const kinds = {
    "chats": (more) => new ChatOpenAI({ ...settings, temperature: 0, maxTokens: 24, ...more }),
    "responses": (more) => new ChatOpenAI({ ...settings, temperature: 0, maxTokens: 24, useResponsesApi: true, ...more }),
  };
  // No thinking, so that random weights come to an answer.
  const direct = { "chats": { modelKwargs: { enable_thinking: false } }, "responses": { modelKwargs: { enable_thinking: false } } };

  for (const [kind, make] of Object.entries(kinds)) {
    tests[`${kind}: an answer, whole and streamed, is the same`] = async () => {
      const model = make(direct[kind]);
      const messages = [new SystemMessage("Be brief."), new HumanMessage("hi")];
      const whole = await model.invoke(messages);
      assert.equal(whole.usage_metadata.output_tokens, 24);
      let text = "";
      for await (const chunk of await model.stream(messages)) text += chunk.text;
      assert.equal(text, whole.text);
    };

    tests[`${kind}: tools`] = async () => {
      const model = make({ ...direct[kind], maxTokens: 400 }).bindTools([weather], { tool_choice: "weather" });
      const question = new HumanMessage("hi");
      const called = await model.invoke([question]);
      assert.ok(called.tool_calls.length >= 1 && called.tool_calls[0].args.days >= 1);
      const results = called.tool_calls.map((one) => new ToolMessage({ content: "rain", tool_call_id: one.id })).reverse();
      const next = await make(direct[kind]).invoke([question, called, ...results]);
      assert.ok(next.usage_metadata.input_tokens > 0);
    };

    tests[`${kind}: a structured output`] = async () => {
      const schema = { type: "object", properties: { word: { enum: ["a", "b"] }, n: { type: "integer", minimum: 0, maximum: 9 } },
        required: ["word", "n"], additionalProperties: false };
      for (const method of ["jsonSchema", "functionCalling"]) {
        const value = await make({ ...direct[kind], maxTokens: 400 }).withStructuredOutput(schema, { method, name: "x" }).invoke("hi");
        assert.ok(["a", "b"].includes(value.word) && Number.isInteger(value.n), method);
      }
    };

    tests[`${kind}: errors`] = async () => {
      assert.equal((await failure(make({ model: "gpt" }).invoke("hi"))).status, 404);
      assert.equal((await failure(make({ modelKwargs: { tempo: 1 } }).invoke("hi"))).param, "tempo");
    };
  }

  tests["chats: log-probabilities"] = async () => {
    const answer = await kinds.chats({ ...direct.chats, logprobs: true, topLogprobs: 2 }).invoke("hi");
    const { content } = answer.response_metadata.logprobs;
    assert.equal(content.map((one) => one.token).join(""), answer.text);
  };

  tests["chats: an empty turn and parts in the history"] = async () => {
    const answer = await kinds.chats(direct.chats).invoke([new HumanMessage({ content: [{ type: "text", text: "a" }, { type: "text", text: "b" }] }),
      new AIMessage(""), new HumanMessage("c")]);
    assert.ok(answer.usage_metadata.input_tokens > 0);
  };

  tests["completions"] = async () => {
    const text = await new OpenAI({ ...settings, maxTokens: 8, temperature: 0 }).invoke("hi");
    assert.equal(typeof text, "string");
  };

  tests["embeddings"] = async () => {
    const vectors = await new OpenAIEmbeddings(settings).embedDocuments(["one text", "another"]);
    assert.equal(vectors.length, 2);
    assert.ok(Math.abs(vectors[0].reduce((sum, x) => sum + x * x, 0) - 1) < 1e-5);
  };

  return tests;
}
