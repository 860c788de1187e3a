#include "formats/tokenizer_metadata.h"

#include <array>
#include <string>
#include <vector>

#include "base/error.h"

namespace r1 {
namespace {

// Values of tokenizer.ggml.token_type.
constexpr int32_t kNormal = 1;
constexpr int32_t kControl = 3;
constexpr int32_t kUserDefined = 4;
constexpr int32_t kUnused = 5;

void append_utf8(std::string& text, uint32_t code_point) {
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else {  // up to U+07FF is all that byte-level BPE needs
    text += static_cast<char>(0xc0 | (code_point >> 6));
    text += static_cast<char>(0x80 | (code_point & 0x3f));
  }
}

/// GPT-2's letters for the 256 bytes: printable Latin-1 characters stand for themselves, the rest for U+0100
/// upwards.
std::vector<std::string> byte_letters() {
  std::vector<std::string> letters(256);
  uint32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    append_utf8(letters[byte], printable ? byte : next++);
  }
  return letters;
}

}  // namespace

void write_byte_vocabulary(GgufWriter& writer, int64_t vocabulary_size) {
  constexpr int64_t kLeast = 300;
  if (vocabulary_size < kLeast) {
    throw_error(ErrorKind::invalid_argument, "a byte vocabulary needs at least {} tokens, the model has {}",
                kLeast, vocabulary_size);
  }
  std::vector<std::string> tokens = byte_letters();
  const std::string space = tokens[' '];
  tokens.push_back(space + space);
  std::vector<int32_t> types(tokens.size(), kNormal);
  const auto begin_of_sentence = static_cast<uint32_t>(tokens.size());
  for (const char* control :
       {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"}) {
    tokens.emplace_back(control);
    types.push_back(kControl);
  }
  for (const char* defined : {"<think>", "</think>"}) {
    tokens.emplace_back(defined);
    types.push_back(kUserDefined);
  }
  while (static_cast<int64_t>(tokens.size()) < vocabulary_size) {
    tokens.push_back(fmt::format("[PAD{}]", tokens.size()));
    types.push_back(kUnused);
  }
  writer.set_string("tokenizer.ggml.model", "gpt2");
  writer.set_string("tokenizer.ggml.pre", "qwen2");
  writer.set_strings("tokenizer.ggml.tokens", tokens);
  writer.set_i32s("tokenizer.ggml.token_type", types);
  writer.set_strings("tokenizer.ggml.merges", std::array<std::string, 1>{space + " " + space});
  writer.set_u32("tokenizer.ggml.bos_token_id", begin_of_sentence);
  writer.set_u32("tokenizer.ggml.eos_token_id", begin_of_sentence + 1);
  writer.set_bool("tokenizer.ggml.add_bos_token", true);
}

void write_no_vocabulary(GgufWriter& writer) {
  writer.set_string("tokenizer.ggml.model", "no_vocab");
}

void write_tokenizer_metadata(GgufWriter& writer, const std::filesystem::path& directory,
                              int64_t vocabulary_size) {
  throw_error(ErrorKind::unsupported, "{}: not yet", directory.string());
}

}  // namespace r1
