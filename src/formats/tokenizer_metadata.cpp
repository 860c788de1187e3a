#include "formats/tokenizer_metadata.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "text/token_table.h"

namespace r1 {
namespace {

// Values of tokenizer.ggml.token_type.
constexpr int32_t kNormal = 1;
constexpr int32_t kControl = 3;
constexpr int32_t kUserDefined = 4;
constexpr int32_t kUnused = 5;

}  // namespace

void write_byte_vocabulary(GgufWriter& writer, int64_t vocabulary_size) {
  constexpr int64_t kLeast = 300;
  if (vocabulary_size < kLeast) {
    throw_error(ErrorKind::invalid_argument, "a byte vocabulary needs at least {} tokens, the model has {}",
                kLeast, vocabulary_size);
  }
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    const char character = static_cast<char>(byte);
    tokens.push_back(bytes_to_byte_level({&character, 1}));
  }
  const std::string space = tokens[' '];
  tokens.push_back(space + space);
  std::vector<int32_t> types(tokens.size(), kNormal);
  const auto begin_of_sentence = static_cast<uint32_t>(tokens.size());
  for (const char* control :
       {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"}) {
    tokens.emplace_back(control);
    types.push_back(kControl);
  }
  for (const char* defined :
       {"<think>", "</think>", "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>",
        "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>", "<｜tool▁outputs▁begin｜>", "<｜tool▁output▁begin｜>",
        "<｜tool▁output▁end｜>", "<｜tool▁outputs▁end｜>"}) {
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
  writer.set_string("tokenizer.chat_template",
                    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}"
                    "{{ '<｜User｜>' + message.content }}{% elif message.role == 'assistant' %}"
                    "{{ '<｜Assistant｜>' + message.content.split('</think>')[-1] + eos_token }}"
                    "{% else %}{{ message.content }}{% endif %}{% endfor %}"
                    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}");
}

void write_no_vocabulary(GgufWriter& writer) {
  writer.set_string("tokenizer.ggml.model", "no_vocab");
}

std::vector<std::string> write_vocabulary(GgufWriter& writer, const Vocabulary& vocabulary,
                                          int64_t vocabulary_size) {
  VocabularyLists lists = vocabulary.tokenizer.lists();
  std::vector<std::string> remarks = std::move(lists.remarks);
  const auto rows = static_cast<size_t>(vocabulary_size);
  if (lists.pieces.size() > rows) {
    remarks.push_back(fmt::format("left out: {} tokens from id {} on, for which the model has no rows",
                                  lists.pieces.size() - rows, rows));
  }
  lists.pieces.resize(rows);
  lists.types.resize(rows, kUnused);
  if (lists.model == "llama") lists.scores.resize(rows);
  for (size_t id = 0; id < rows; ++id) {
    if (lists.types[id] == kUnused && lists.pieces[id].empty()) lists.pieces[id] = fmt::format("[PAD{}]", id);
  }
  writer.set_string("tokenizer.ggml.model", lists.model);
  if (!lists.pre.empty()) writer.set_string("tokenizer.ggml.pre", lists.pre);
  writer.set_strings("tokenizer.ggml.tokens", lists.pieces);
  writer.set_i32s("tokenizer.ggml.token_type", lists.types);
  if (!lists.scores.empty()) writer.set_f32s("tokenizer.ggml.scores", lists.scores);
  writer.set_strings("tokenizer.ggml.merges", lists.merges);
  const auto set_id = [&](const char* key, std::optional<int32_t> id) {
    if (id && *id < vocabulary_size) writer.set_u32(key, static_cast<uint32_t>(*id));
  };
  set_id("tokenizer.ggml.bos_token_id", vocabulary.bos);
  set_id("tokenizer.ggml.eos_token_id", vocabulary.eos);
  set_id("tokenizer.ggml.unknown_token_id", vocabulary.unknown);
  set_id("tokenizer.ggml.padding_token_id", vocabulary.padding);
  std::vector<int32_t> ends = vocabulary.end_of_generation;
  std::erase_if(ends, [&](int32_t id) { return id >= vocabulary_size; });
  if (ends.size() > 1) writer.set_i32s("tokenizer.ggml.eos_token_ids", ends);
  writer.set_bool("tokenizer.ggml.add_bos_token", vocabulary.tokenizer.add_bos());
  writer.set_bool("tokenizer.ggml.add_eos_token", vocabulary.tokenizer.add_eos());
  if (lists.model == "llama") {
    writer.set_bool("tokenizer.ggml.add_space_prefix", lists.add_space_prefix);
    writer.set_string("r1.tokenizer.space_prefix", lists.space_prefix);
  }
  if (!vocabulary.chat_template.empty())
    writer.set_string("tokenizer.chat_template", vocabulary.chat_template);
  return remarks;
}

}  // namespace r1
