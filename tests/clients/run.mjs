// The clients of others against a running server: what their users see must be what the APIs' references say.
// Usage: node run.mjs PATH-TO-R1 MODEL.gguf (made by `r1 debug synth tiny-qwen2`). The model's weights are random: its
// texts mean nothing, but everything around them is real.
import { readFileSync } from "node:fs";
import { runAll, startServer } from "./server.mjs";

const [program, model] = process.argv.slice(2);
const clients = {
  "openai": { file: "openai", packages: ["openai"] },
  "Anthropic SDK": { file: "anthropic", packages: ["@anthropic-ai/sdk"] },
  "AI SDK": { file: "ai_sdk",
    packages: ["ai", "@ai-sdk/openai", "@ai-sdk/openai-compatible", "@ai-sdk/deepseek", "@ai-sdk/anthropic"] },
  "LangChain": { file: "langchain", packages: ["@langchain/openai", "@langchain/core"] },
};

const version = (name) =>
  JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url))).version;

// docs/compatibility.md says which versions were tried.
const page = readFileSync(new URL("../../docs/compatibility.md", import.meta.url), "utf8");
let failed = 0;
for (const name of Object.values(clients).flatMap((one) => one.packages)) {
  if (page.includes(version(name))) continue;
  console.log(`FAIL  docs/compatibility.md does not name ${name} ${version(name)}`);
  ++failed;
}

const server = await startServer(program, [model, "--served-model-name", "tiny", "--api-key", "secret", "-c", "2048",
  "--no-site", "--cors-origin", "https://app.example"]);
for (const [name, { file, packages }] of Object.entries(clients)) {
  console.log(`${name}: ${packages.map((one) => `${one} ${version(one)}`).join(", ")}`);
  failed += await runAll((await import(`./${file}.mjs`)).default(server.base));
}
const code = await server.stop();
if (code !== 0) console.log(`FAIL  the server ended with ${code}`);
process.exit(failed > 0 || code !== 0 ? 1 : 0);
