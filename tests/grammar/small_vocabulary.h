// A byte-level vocabulary with some longer tokens and R1's markers, for tests of constraints and of the
// server.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace r1::test {

/// GPT-2's letter for a byte, as UTF-8.
inline std::string byte_letter(unsigned byte) {
  unsigned code = byte;
  const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
  if (!printable) {
    code = 256;
    for (unsigned other = 0; other < byte; ++other) {
      if (!((other >= '!' && other <= '~') || (other >= 0xA1 && other <= 0xAC) || other >= 0xAE)) ++code;
    }
  }
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

inline std::string letters(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) out += byte_letter(static_cast<unsigned char>(c));
  return out;
}

/// Tokens 0 … 255 are the bytes; then tokens of several bytes; then the markers.
inline Tokenizer small_tokenizer() {
  static const std::vector<std::string> kLonger = {
      "\n\n", "\",",    "\":",  "\": ", "\"}", "{\"",  "[{",   "}]",  "}}", "true", "false",
      "null", "\", \"", "name", " the", "ab",  "abc",  "12",   "123", "0.", "-1",   "e+",
      "\\\"", "\\n",    "你",   "好",   "```", "json", "\"\"", "[]",  "{}", "],["};
  static const std::vector<std::string> kControl = {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",
                                                    "<｜User｜>", "<｜Assistant｜>"};
  static const std::vector<std::string> kAdded = {"<think>",
                                                  "</think>",
                                                  "<｜tool▁calls▁begin｜>",
                                                  "<｜tool▁call▁begin｜>",
                                                  "<｜tool▁sep｜>",
                                                  "<｜tool▁call▁end｜>",
                                                  "<｜tool▁calls▁end｜>",
                                                  "<｜tool▁outputs▁begin｜>",
                                                  "<｜tool▁output▁begin｜>",
                                                  "<｜tool▁output▁end｜>",
                                                  "<｜tool▁outputs▁end｜>"};
  std::vector<std::string> pieces;
  std::vector<int32_t> types;
  for (unsigned byte = 0; byte < 256; ++byte) pieces.push_back(byte_letter(byte));
  for (const std::string& text : kLonger) pieces.push_back(letters(text));
  types.assign(pieces.size(), 1);
  VocabularyData data;
  data.bos = static_cast<int32_t>(pieces.size());
  data.eos = *data.bos + 1;
  for (const std::string& text : kControl) pieces.push_back(text), types.push_back(3);
  for (const std::string& text : kAdded) pieces.push_back(text), types.push_back(4);
  data.model = "gpt2";
  data.pre = "qwen2";
  data.pieces.assign(pieces.begin(), pieces.end());
  data.types = types;
  data.add_bos = false;
  return Tokenizer::from_vocabulary(data);
}

}  // namespace r1::test
