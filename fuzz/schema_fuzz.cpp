// Schemas and regular expressions from strangers: refused with an Error or compiled; what a compiled schema
// lets through, byte by byte, is JSON as soon as it says that the document may end.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "grammar/machine.h"
#include "grammar/regex_grammar.h"
#include "grammar/schema_grammar.h"

namespace {

using r1::grammar::Grammar;
using r1::grammar::Machine;

/// Walks at random, as `choices` say, for a while.
void walk(const Grammar& grammar, std::string_view choices, bool is_json) {
  Machine machine(grammar);
  auto at = machine.start(grammar.rule_start(grammar.root()));
  std::string text;
  for (const char choice : choices) {
    if (at == Machine::kDead) return;
    if (is_json && machine.at(at).ends && !nlohmann::json::accept(text)) std::abort();
    const auto first = static_cast<uint8_t>(choice);
    auto next = Machine::kDead;
    for (int step = 0; step < 256 && next == Machine::kDead; ++step) {
      const auto byte = static_cast<uint8_t>(first + step);
      next = machine.step(at, byte);
      if (next != Machine::kDead) text += static_cast<char>(byte);
    }
    at = next;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string_view choices = bytes.substr(size / 2);
  try {
    if (data[0] == 'r') {
      walk(*r1::grammar::compile_regex(bytes.substr(1)), choices, false);
    } else {
      const auto schema = r1::grammar::Schema::parse(bytes, nullptr, false);
      if (!schema.is_discarded()) walk(*r1::grammar::compile_schema(schema), choices, true);
    }
  } catch (const r1::Error&) {
  }
  return 0;
}
