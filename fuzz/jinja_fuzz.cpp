// Any template, with a conversation as its variables, must render or end with an Error: no crash, no leak, no
// endless loop, no giant allocation.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "text/jinja.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const nlohmann::ordered_json context = nlohmann::ordered_json::parse(R"({
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "天气?"},
                 {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1.5}}}]}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "bos_token": "<s>", "add_generation_prompt": true, "n": -3, "l": [3, 1, 2], "none": null})");
  r1::JinjaOptions options;
  options.max_output_bytes = 1 << 18;
  options.max_work_bytes = 1 << 24;
  options.max_steps = 100000;
  options.now.emplace();
  try {
    const auto parsed = r1::JinjaTemplate::parse({reinterpret_cast<const char*>(data), size}, options);
    parsed.render(context);
  } catch (const r1::Error&) {
  }
  return 0;
}
