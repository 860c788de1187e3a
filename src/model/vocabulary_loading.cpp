#include "model/vocabulary_loading.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "model/config_reader.h"

namespace r1 {
namespace {

// Names under which published models write the token that ends a turn or a text.
constexpr const char* kEndNames[] = {
    "<｜end▁of▁sentence｜>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>",
    "<|end_of_text|>",       "<|EOT|>",
};

Tokenizer tokenizer_from_gguf(const GgufFile& file) {
  VocabularyData data;
  data.model = file.require_string("tokenizer.ggml.model");
  if (data.model == "no_vocab") {
    throw_error(ErrorKind::bad_file, "{}: the file has no tokenizer (no_vocab)", file.name());
  }
  data.pre = file.find_string("tokenizer.ggml.pre").value_or("");
  data.pieces = file.require_strings("tokenizer.ggml.tokens");
  data.scores = file.find_f32s("tokenizer.ggml.scores").value_or(std::vector<float>{});
  data.types = file.find_i32s("tokenizer.ggml.token_type").value_or(std::vector<int32_t>{});
  data.merges = file.find_strings("tokenizer.ggml.merges").value_or(std::vector<std::string_view>{});
  auto id = [&](const char* key) -> std::optional<int32_t> {
    const auto value = file.find_u32(key);
    if (!value) return std::nullopt;
    if (*value >= data.pieces.size()) {
      throw_error(ErrorKind::bad_file, "{}: {}: expected an id below {}, found {}", file.name(), key,
                  data.pieces.size(), *value);
    }
    return static_cast<int32_t>(*value);
  };
  data.bos = id("tokenizer.ggml.bos_token_id");
  data.eos = id("tokenizer.ggml.eos_token_id");
  data.unknown = id("tokenizer.ggml.unknown_token_id");
  data.add_bos = file.find_bool("tokenizer.ggml.add_bos_token");
  data.add_eos = file.find_bool("tokenizer.ggml.add_eos_token");
  data.add_space_prefix = file.find_bool("tokenizer.ggml.add_space_prefix");
  return Tokenizer::from_vocabulary(data);
}

// An id that the model's configuration names; it must be one of the tokenizer's.
int32_t check_id(int64_t id, const Tokenizer& tokenizer, const std::string& where) {
  if (id < 0 || id >= tokenizer.size()) {
    throw_error(ErrorKind::bad_file, "{}: expected an id below {}, found {}", where, tokenizer.size(), id);
  }
  return static_cast<int32_t>(id);
}

// eos_token_id of config.json and generation_config.json: one id or a list.
void add_hub_ends(const nlohmann::json& config, const Tokenizer& tokenizer, const std::string& where,
                  std::set<int32_t>& ends) {
  const auto found = config.find("eos_token_id");
  if (found == config.end() || found->is_null()) return;
  auto add = [&](const nlohmann::json& id) {
    if (!id.is_number_integer()) {
      throw_error(ErrorKind::bad_file, "{}: eos_token_id: expected an id or a list of ids, found {}", where,
                  id.dump());
    }
    ends.insert(check_id(id.get<int64_t>(), tokenizer, where + ": eos_token_id"));
  };
  if (!found->is_array()) {
    add(*found);
    return;
  }
  for (const nlohmann::json& id : *found) add(id);
}

std::string gguf_template(const GgufFile& file) {
  return std::string(file.find_string("tokenizer.chat_template").value_or(""));
}

}  // namespace

Vocabulary load_vocabulary(const ModelFile& file) {
  std::set<int32_t> ends;
  auto finish = [&](Tokenizer tokenizer, std::string chat_template) {
    std::optional<int32_t> bos = tokenizer.bos();
    std::optional<int32_t> eos = tokenizer.eos();
    if (eos) ends.insert(*eos);
    for (const char* end_name : kEndNames) {
      const auto id = tokenizer.find_special(end_name);
      if (id && tokenizer.is_special(*id)) ends.insert(*id);
    }
    return Vocabulary{std::move(tokenizer), std::move(chat_template), bos, eos, {ends.begin(), ends.end()}};
  };

  if (const GgufFile* gguf = file.gguf()) {
    Tokenizer tokenizer = tokenizer_from_gguf(*gguf);
    for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
      if (const auto id = gguf->find_u32(key)) {
        ends.insert(check_id(*id, tokenizer, gguf->name() + ": " + key));
      }
    }
    return finish(std::move(tokenizer), gguf_template(*gguf));
  }

  const HubDirectory& hub = *file.hub();
  if (!hub.tokenizer_json) {
    throw_error(ErrorKind::bad_file, "{}: tokenizer.json is missing", hub.path.string());
  }
  const std::optional<std::string_view> config =
      hub.tokenizer_config ? std::optional<std::string_view>(*hub.tokenizer_config) : std::nullopt;
  Tokenizer tokenizer = Tokenizer::from_hub(*hub.tokenizer_json, config);
  add_hub_ends(*hub.config, tokenizer, (hub.path / "config.json").string(), ends);
  if (hub.generation_config) {
    add_hub_ends(**hub.generation_config, tokenizer, (hub.path / "generation_config.json").string(), ends);
  }
  return finish(std::move(tokenizer), hub.chat_template.value_or(""));
}

}  // namespace r1
