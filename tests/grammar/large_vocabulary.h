// A vocabulary of the size and the kinds of tokens of today's models: words with and without a space before, numbers,
// punctuation with quotes, indentation, Chinese. What it costs to find masks is measured with it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/grammar/small_vocabulary.h"
#include "text/tokenizer.h"

namespace r1::test {

/// `count` tokens: the 256 bytes, then made ones; the last one ends an answer.
inline Tokenizer large_tokenizer(size_t count = 151'000) {
  std::vector<std::string> texts;
  std::set<std::string> known;
  const auto add = [&](const std::string& text) {
    if (texts.size() + 257 < count && text.size() > 1 && known.insert(text).second) texts.push_back(text);
  };
  for (int i = 0; i < 1000; ++i) add(std::to_string(i));
  for (int length = 2; length <= 64; ++length)
    add(std::string(length, ' ')), add("\n" + std::string(length, ' '));
  const std::string signs = "\"',.:;!?(){}[]<>/\\|-_=+*&^%$#@~` \n";
  for (const char a : signs) {
    for (const char b : signs) {
      add({a, b});
      for (const char c : signs) {
        if (random_bits(a * 4096 + b * 64 + c, 3) % 8 == 0) add({a, b, c});
      }
    }
  }
  for (uint64_t i = 0; i < 12'000; ++i) {
    const uint64_t code = 0x4E00 + random_bits(i, 1) % 0x5000;
    const auto character = [](uint64_t c) {
      return std::string({static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | (c >> 6 & 63)),
                          static_cast<char>(0x80 | (c & 63))});
    };
    add(character(code));
    if (i % 3 == 0) add(character(code) + character(0x4E00 + random_bits(i, 2) % 0x5000));
  }
  const char* const parts[] = {"th", "er", "on", "an",  "re", "he", "in", "ed", "nd", "ha", "at", "en",
                               "es", "of", "or", "nt",  "ea", "ti", "to", "it", "st", "io", "le", "is",
                               "ou", "ar", "as", "de",  "rt", "ve", "a",  "e",  "i",  "o",  "u",  "y",
                               "s",  "x",  "qu", "sch", "é",  "ö",  "_",  "A",  "Th"};
  for (uint64_t i = 0; texts.size() + 257 < count && i < 10 * count; ++i) {
    std::string word = random_bits(i, 0) % 2 == 0 ? " " : "";
    for (uint64_t part = 1; part <= 1 + random_bits(i, 1) % 4; ++part)
      word += parts[random_bits(i, 1 + part) % std::size(parts)];
    if (random_bits(i, 9) % 40 == 0) word += "\":";
    add(word);
  }
  std::vector<std::string> pieces;
  for (unsigned byte = 0; byte < 256; ++byte) pieces.push_back(byte_letter(byte));
  for (const std::string& text : texts) pieces.push_back(letters(text));
  std::vector<int32_t> types(pieces.size(), 1);
  VocabularyData data;
  data.eos = static_cast<int32_t>(pieces.size());
  data.bos = data.eos;
  pieces.emplace_back("<end>");
  types.push_back(3);
  data.model = "gpt2";
  data.pre = "qwen2";
  data.pieces.assign(pieces.begin(), pieces.end());
  data.types = types;
  data.add_bos = false;
  return Tokenizer::from_vocabulary(data);
}

}  // namespace r1::test
