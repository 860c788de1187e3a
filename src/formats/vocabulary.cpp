#include "formats/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "formats/json_file.h"
#include "text/pre_tokenizer.h"

namespace r1 {
namespace {

using nlohmann::json;

/// Calls `read`; errors name the file where they do not yet.
template <typename Read>
auto with_file_name(const std::string& name, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(name)) throw;
    throw_error(error.kind(), "{}: {}", name, error.what());
  }
}

/// Collects the ids that a file names; those that are no tokens are remarked on and left out.
class NamedIds {
 public:
  NamedIds(int64_t size, std::vector<std::string>& remarks) : size_(size), remarks_(remarks) {}

  std::optional<int32_t> check(int64_t id, const std::string& where) {
    if (id >= 0 && id < size_) return static_cast<int32_t>(id);
    // -1, also unsigned, is how some converters write "none".
    if (id != -1 && id != UINT32_MAX)
      remarks_.push_back(fmt::format("{}: expected an id below {}, found {}: not used", where, size_, id));
    return std::nullopt;
  }

 private:
  int64_t size_;
  std::vector<std::string>& remarks_;
};

void add_known_ends(const Tokenizer& tokenizer, std::set<int32_t>& ends) {
  for (int32_t id = 0; id < tokenizer.size(); ++id) {
    if (tokenizer.is_special(id) && is_end_name(tokenizer.token_text(id))) ends.insert(id);
  }
}

// --- GGUF ---

/// Files of before April 2024 do not name their pre-tokeniser: it is known by tokens that go with one alone.
std::optional<std::string> recognise_pre_tokenizer(const std::vector<std::string_view>& pieces) {
  const auto has = [&](std::string_view piece) { return std::ranges::find(pieces, piece) != pieces.end(); };
  if (has("<|begin_of_text|>") && has("<|eot_id|>")) return "llama-bpe";
  if (has("<｜begin▁of▁sentence｜>") && has("<｜User｜>")) {
    if (has("<|reserved_special_token_0|>")) return "llama-bpe";
    return has("<|fim_prefix|>") || has("<|vision_start|>") ? "deepseek-r1-qwen" : "deepseek-v3";
  }
  if (has("<|im_start|>") && has("<|endoftext|>") && pieces.size() > 150000) return "qwen2";
  return std::nullopt;
}

std::string pre_tokenizer_of(const GgufFile& file, const VocabularyData& data,
                             std::vector<std::string>& remarks) {
  constexpr const char* kKey = "tokenizer.ggml.pre";
  std::string written(file.find_string(kKey).value_or(""));
  if (data.model != "gpt2" || (!written.empty() && written != "default")) return written;
  const std::string found = written.empty() ? "is missing" : "'default' names none";
  if (const auto known = recognise_pre_tokenizer(data.pieces)) {
    remarks.push_back(fmt::format("{}: {} {}: by its tokens the vocabulary is one of '{}', which is assumed",
                                  file.name(), kKey, found, *known));
    return *known;
  }
  throw_error(ErrorKind::unsupported, "{}: {} {}: say which with --override-kv {}=str:NAME; known: {}",
              file.name(), kKey, found, kKey, known_pre_tokenizers());
}

Vocabulary load_gguf(const GgufFile& file) {
  std::vector<std::string> remarks;
  VocabularyData data;
  data.remark = [&](const std::string& text) { remarks.push_back(fmt::format("{}: {}", file.name(), text)); };
  data.model = file.require_string("tokenizer.ggml.model");
  if (data.model == "no_vocab") {
    throw_error(ErrorKind::bad_file, "{}: the file has no tokenizer (no_vocab)", file.name());
  }
  data.pieces = file.require_strings("tokenizer.ggml.tokens");
  data.pre = pre_tokenizer_of(file, data, remarks);
  data.scores = file.find_f32s("tokenizer.ggml.scores").value_or(std::vector<float>{});
  data.types = file.find_i32s("tokenizer.ggml.token_type").value_or(std::vector<int32_t>{});
  data.merges = file.find_strings("tokenizer.ggml.merges").value_or(std::vector<std::string_view>{});
  NamedIds ids(static_cast<int64_t>(data.pieces.size()), remarks);
  const auto id = [&](const char* key) -> std::optional<int32_t> {
    const auto value = file.find_i64(key);
    return value ? ids.check(*value, fmt::format("{}: {}", file.name(), key)) : std::nullopt;
  };
  data.bos = id("tokenizer.ggml.bos_token_id");
  data.eos = id("tokenizer.ggml.eos_token_id");
  data.unknown = id("tokenizer.ggml.unknown_token_id");
  data.add_bos = file.find_bool("tokenizer.ggml.add_bos_token");
  data.add_eos = file.find_bool("tokenizer.ggml.add_eos_token");
  data.add_space_prefix = file.find_bool("tokenizer.ggml.add_space_prefix");
  data.space_prefix = file.find_string("r1.tokenizer.space_prefix").value_or("");
  Tokenizer tokenizer = with_file_name(file.name(), [&] { return Tokenizer::from_vocabulary(data); });

  std::set<int32_t> ends;
  if (data.eos) ends.insert(*data.eos);
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (const auto end = id(key)) ends.insert(*end);
  }
  constexpr const char* kAllEnds = "tokenizer.ggml.eos_token_ids";
  if (const GgufValue* value = file.find_value(kAllEnds)) {
    if (value->type != GgufType::array) {
      if (const auto end = id(kAllEnds)) ends.insert(*end);
    } else {
      const std::vector<int32_t> values = file.find_i32s(kAllEnds).value();
      for (const int32_t end : values) {
        if (const auto found = ids.check(end, fmt::format("{}: {}", file.name(), kAllEnds)))
          ends.insert(*found);
      }
    }
  }
  add_known_ends(tokenizer, ends);
  const std::optional<int32_t> padding = id("tokenizer.ggml.padding_token_id");
  return {std::move(tokenizer),
          std::string(file.find_string("tokenizer.chat_template").value_or("")),
          data.bos,
          data.eos,
          {ends.begin(), ends.end()},
          data.unknown,
          padding,
          std::move(remarks)};
}

// --- hub ---

/// An id or a list of ids under `key`.
std::vector<int64_t> read_ids(const json& config, const char* key, const std::string& where) {
  std::vector<int64_t> result;
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return result;
  for (const json& id : found->is_array() ? *found : json::array({*found})) {
    if (id.is_null()) continue;
    if (!id.is_number_integer()) {
      throw_error(ErrorKind::bad_file, "{}: {}: expected an id or a list of ids, found {}", where, key,
                  short_json(id));
    }
    result.push_back(id.get<int64_t>());
  }
  return result;
}

/// The token that tokenizer_config.json names as a string or as {"content": string}; none that is no token.
std::optional<int32_t> configured_token(const json& config, const char* key, const Tokenizer& tokenizer) {
  const auto found = config.find(key);
  if (found == config.end()) return std::nullopt;
  const json content = found->is_object() ? found->value("content", json()) : *found;
  return content.is_string() ? tokenizer.find_special(content.get<std::string>()) : std::nullopt;
}

Vocabulary load_hub(const HubTexts& hub) {
  if (!hub.tokenizer_json) {
    throw_error(ErrorKind::bad_file, "{}: tokenizer.json is missing", hub.path.string());
  }
  std::optional<std::string_view> config_text;
  json config = json::object();
  if (hub.tokenizer_config) {
    config_text = *hub.tokenizer_config;
    config = parse_json(*hub.tokenizer_config, (hub.path / "tokenizer_config.json").string());
  }
  Tokenizer tokenizer = with_file_name(hub.path.string(),
                                       [&] { return Tokenizer::from_hub(*hub.tokenizer_json, config_text); });
  std::vector<std::string> remarks;
  NamedIds ids(tokenizer.size(), remarks);
  std::set<int32_t> ends;
  std::optional<int32_t> eos = tokenizer.eos();
  const auto add_ends = [&](const json& settings, const char* file) {
    const std::string where = (hub.path / file).string();
    for (const int64_t id : read_ids(settings, "eos_token_id", where)) {
      const auto end = ids.check(id, where + ": eos_token_id");
      if (!end) continue;
      ends.insert(*end);
      if (!eos) eos = end;
    }
  };
  add_ends(*hub.config, "config.json");
  if (hub.generation_config) add_ends(**hub.generation_config, "generation_config.json");
  if (eos) ends.insert(*eos);
  add_known_ends(tokenizer, ends);
  const std::optional<int32_t> bos = tokenizer.bos();
  const auto unknown = configured_token(config, "unk_token", tokenizer);
  const auto padding = configured_token(config, "pad_token", tokenizer);
  return {std::move(tokenizer),
          hub.chat_template.value_or(""),
          bos,
          eos,
          {ends.begin(), ends.end()},
          unknown,
          padding,
          std::move(remarks)};
}

}  // namespace

Vocabulary load_vocabulary(const ModelFile& file) {
  if (const GgufFile* gguf = file.gguf()) return load_gguf(*gguf);
  return load_hub(*file.hub());
}

Vocabulary load_vocabulary(const std::filesystem::path& directory) {
  return load_hub(HubTexts::open(directory));
}

}  // namespace r1
