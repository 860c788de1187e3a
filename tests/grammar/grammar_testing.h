// Writing and reading of texts under a grammar, token by token.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "grammar/constraint.h"
#include "tests/grammar/small_vocabulary.h"

namespace r1::test {

struct GrammarVocabulary {
  Tokenizer tokenizer = small_tokenizer();
  int32_t end = *tokenizer.eos();
  std::shared_ptr<const grammar::TokenTrie> trie =
      std::make_shared<grammar::TokenTrie>(tokenizer, tokenizer.size() + 5, std::vector<int32_t>{end});
};

inline const GrammarVocabulary& grammar_vocabulary() {
  static const GrammarVocabulary kVocabulary;
  return kVocabulary;
}

inline std::vector<int32_t> allowed_tokens(std::span<const uint64_t> mask) {
  std::vector<int32_t> tokens;
  for (size_t word = 0; word < mask.size(); ++word) {
    for (uint64_t bits = mask[word]; bits != 0; bits &= bits - 1)
      tokens.push_back(static_cast<int32_t>(word * 64 + std::countr_zero(bits)));
  }
  return tokens;
}

/// A text drawn at random from the grammar; after `patience` tokens the end and closing signs are preferred.
inline std::string write_at_random(const std::shared_ptr<const grammar::Grammar>& grammar, uint64_t seed,
                                   int patience = 60, std::vector<int32_t>* out = nullptr) {
  const GrammarVocabulary& v = grammar_vocabulary();
  grammar::Constraint constraint(grammar, v.trie, {});
  std::vector<int32_t> tokens;
  for (int step = 0; step < 3000; ++step) {
    std::vector<int32_t> allowed = allowed_tokens(constraint.allowed(tokens));
    if (allowed.empty()) {
      ADD_FAILURE() << "nothing is allowed after " << v.tokenizer.decode(tokens, false);
      break;
    }
    if (step > patience) {
      std::vector<int32_t> closing;
      for (const int32_t token : allowed) {
        const bool ends = token == v.end ||
                          (token < v.tokenizer.size() &&
                           (v.tokenizer.token_bytes(token) == "}" || v.tokenizer.token_bytes(token) == "]" ||
                            v.tokenizer.token_bytes(token) == "\""));
        if (ends) closing.push_back(token);
      }
      if (!closing.empty() && random_bits(seed, 100'000 + step) % 8 != 0) allowed = closing;
    }
    const int32_t token = allowed[random_bits(seed, step) % allowed.size()];
    if (token == v.end) {
      if (out != nullptr) *out = tokens;
      return v.tokenizer.decode(tokens, false);
    }
    tokens.push_back(token);
  }
  ADD_FAILURE() << "does not end: " << v.tokenizer.decode(tokens, false).substr(0, 300);
  return "";
}

/// Whether the grammar lets the text be written with the tokens that the tokenizer makes of it, and end there.
inline bool accepts(const std::shared_ptr<const grammar::Grammar>& grammar, const std::string& text) {
  const GrammarVocabulary& v = grammar_vocabulary();
  grammar::Constraint constraint(grammar, v.trie, {});
  std::vector<int32_t> tokens;
  for (const int32_t token : v.tokenizer.encode(text, true)) {
    const auto mask = constraint.allowed(tokens);
    if ((mask[token / 64] >> (token % 64) & 1) == 0) return false;
    tokens.push_back(token);
  }
  const auto mask = constraint.allowed(tokens);
  return (mask[v.end / 64] >> (v.end % 64) & 1) != 0;
}

/// The same byte by byte, without masks: many times as fast.
inline bool machine_accepts(const grammar::Grammar& grammar, const std::string& text) {
  std::string taken;
  grammar::Machine machine(grammar, &taken);
  grammar::ConfigurationId at = machine.start(grammar.rule_start(grammar.root()));
  for (const char c : text) {
    taken.push_back(c);
    at = machine.step(at, static_cast<uint8_t>(c));
    if (at == grammar::Machine::kDead) return false;
  }
  return machine.at(at).ends;
}

}  // namespace r1::test
