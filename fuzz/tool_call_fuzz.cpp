// The body of a tool call as a model wrote it: a name and the text of a JSON object, or a reason of one line.
// The first byte chooses between R1's form and Qwen's. (stream_parser_fuzz finds the bodies in streams.)
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "text/tool_call.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string error;
  const auto call = data[0] % 2 == 0 ? r1::parse_deepseek_call(body, "<｜tool▁sep｜>", error)
                                     : r1::parse_json_call(body, error);
  if (!call) {
    if (error.empty() || error.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  if (call->name.empty()) std::abort();
  if (!nlohmann::json::parse(call->arguments).is_object()) std::abort();
  return 0;
}
