// tokenizer.json and tokenizer_config.json of a trained vocabulary: the forms of Hugging Face's libraries.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "text/chat_template.h"
#include "train/data/tokenizer_trainer.h"

namespace r1 {
namespace {

using nlohmann::ordered_json;

// Qwen2's published expression: digits stand alone.
constexpr const char* kPattern =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";

ordered_json added_token(int32_t id, const std::string& content, bool special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

}  // namespace

std::string TrainedTokenizer::tokenizer_json() const {
  ordered_json root;
  root["version"] = "1.0";
  root["truncation"] = nullptr;
  root["padding"] = nullptr;
  root["added_tokens"] = ordered_json::array();
  for (const auto& [id, content] : added_special)
    root["added_tokens"].push_back(added_token(id, content, true));
  for (const auto& [id, content] : added_plain)
    root["added_tokens"].push_back(added_token(id, content, false));
  root["normalizer"] = {{"type", "NFC"}};
  const ordered_json split = {
      {"type", "Split"}, {"pattern", {{"Regex", kPattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  const ordered_json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}};
  root["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", ordered_json::array({split, byte_level})}};
  root["post_processor"] = byte_level;
  root["decoder"] = byte_level;
  ordered_json& model = root["model"];
  model = {{"type", "BPE"},
           {"dropout", nullptr},
           {"unk_token", nullptr},
           {"continuing_subword_prefix", ""},
           {"end_of_word_suffix", ""},
           {"fuse_unk", false},
           {"byte_fallback", false},
           {"ignore_merges", false}};
  const auto added_from = static_cast<size_t>(pieces.size() - added_plain.size());
  model["vocab"] = ordered_json::object();
  for (size_t id = added_special.size(); id < added_from; ++id) model["vocab"][pieces[id]] = id;
  model["merges"] = ordered_json::array();
  for (const auto& [left, right] : merges) model["merges"].push_back(fmt::format("{} {}", left, right));
  return root.dump(1) + "\n";
}

std::string TrainedTokenizer::tokenizer_config_json(int64_t context_length) const {
  ordered_json root;
  root["tokenizer_class"] = "PreTrainedTokenizerFast";
  root["add_bos_token"] = true;
  root["add_eos_token"] = false;
  root["bos_token"] = added_special.at(0).second;
  root["eos_token"] = added_special.at(1).second;
  root["pad_token"] = added_special.at(2).second;
  root["unk_token"] = nullptr;
  root["clean_up_tokenization_spaces"] = false;
  root["model_max_length"] = context_length;
  root["chat_template"] = std::string(kR1ToolTemplate);
  return root.dump(1) + "\n";
}

}  // namespace r1
