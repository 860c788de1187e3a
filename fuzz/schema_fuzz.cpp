// Schemas and regular expressions from strangers: refused with an Error or compiled within the budget; what a
// compiled schema lets through, byte by byte, is JSON as soon as it says that the document may end; masks of a
// vocabulary of real size are found within their steps.
//
// Time and memory are findings: run it with -timeout=10 -rss_limit_mb=1500.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "grammar/constraint.h"
#include "grammar/machine.h"
#include "grammar/regex_grammar.h"
#include "grammar/schema_grammar.h"
#include "tests/grammar/large_vocabulary.h"

namespace {

using r1::grammar::Budget;
using r1::grammar::Constraint;
using r1::grammar::Grammar;
using r1::grammar::Machine;

// One object or copy counts several steps at once.
constexpr std::int64_t kStepsAfterTheLimit = 5'000'000;

const std::shared_ptr<const r1::grammar::TokenTrie>& trie() {
  static const auto kTrie = [] {
    const r1::Tokenizer tokenizer = r1::test::large_tokenizer();
    return std::make_shared<const r1::grammar::TokenTrie>(tokenizer, tokenizer.size(),
                                                          std::vector<std::int32_t>{*tokenizer.eos()});
  }();
  return kTrie;
}

/// Walks at random, as `choices` say, for a while.
void walk(const Grammar& grammar, std::string_view choices, bool is_json) {
  std::string text;
  Machine machine(grammar, &text);
  machine.limit_steps(Constraint::kMaxSteps);
  auto at = machine.start(grammar.rule_start(grammar.root()));
  machine.pin(at);
  for (const char choice : choices) {
    if (is_json && machine.at(at).ends && !nlohmann::json::accept(text)) std::abort();
    const auto first = static_cast<std::uint8_t>(choice);
    auto next = Machine::kDead;
    for (int step = 0; step < 256 && next == Machine::kDead; ++step) {
      text.push_back(static_cast<char>(first + step));
      next = machine.step(at, static_cast<std::uint8_t>(first + step));
      if (next == Machine::kDead) text.pop_back();
    }
    if (next == Machine::kDead) return;
    machine.pin(next);
    machine.unpin(at);
    at = next;
  }
}

/// Some tokens, each chosen among those that may come.
void write(const std::shared_ptr<const Grammar>& grammar, std::string_view choices) {
  Constraint constraint(grammar, trie(), {});
  std::vector<std::int32_t> tokens;
  for (const char choice : choices.substr(0, 4)) {
    const auto mask = constraint.allowed(tokens);
    const auto words = static_cast<std::size_t>(mask.size());
    for (std::size_t i = 0; i < words; ++i) {
      const std::size_t word = (i + static_cast<std::uint8_t>(choice) * 7) % words;
      if (mask[word] == 0) continue;
      const auto token =
          static_cast<std::int32_t>(word * 64 + static_cast<std::size_t>(__builtin_ctzll(mask[word])));
      if (token == trie()->end_tokens()[0]) return;
      tokens.push_back(token);
      break;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string_view choices = bytes.substr(size / 2);
  Budget budget;
  try {
    if (data[0] == 'r') {
      // The second byte may repeat the rest: what is short here is long there.
      std::string expression(bytes.substr(2));
      if (data[1] < 16) expression = "(?:" + expression + "){" + std::to_string(data[1] * 250) + "}";
      const auto grammar = r1::grammar::compile_regex(expression, budget);
      walk(*grammar, choices, false);
      if (size % 8 == 0) write(grammar, choices);
    } else {
      const auto schema = r1::grammar::Schema::parse(bytes, nullptr, false);
      if (!schema.is_discarded()) {
        const auto grammar = r1::grammar::compile_schema(schema, budget);
        walk(*grammar, choices, true);
        if (size % 8 == 0) write(grammar, choices);
      }
    }
  } catch (const r1::Error&) {
  }
  if (budget.steps() > budget.limits().steps + kStepsAfterTheLimit) std::abort();
  return 0;
}
