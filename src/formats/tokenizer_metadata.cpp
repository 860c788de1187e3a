#include "formats/tokenizer_metadata.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "formats/hub_directory.h"
#include "formats/json_file.h"

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

namespace {

using nlohmann::json;

// The patterns that split text before merging, by which the vocabularies' pre-tokenisers are told apart (from
// the published tokenizer.json files).
constexpr std::string_view kQwen2Pattern =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
constexpr std::string_view kLlama3Pattern =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
constexpr std::array<std::string_view, 3> kDeepseekV3Patterns = {
    R"re(\p{N}{1,3})re",
    "[一-龥぀-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
    "?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
};

/// The hub tokenizer's parts that GGUF keeps.
class HubTokenizer {
 public:
  HubTokenizer(const std::filesystem::path& directory, int64_t vocabulary_size)
      : name_((directory / "tokenizer.json").string()) {
    if (!std::filesystem::exists(directory / "tokenizer.json")) {
      throw_error(ErrorKind::bad_file, "{}: missing", name_);
    }
    const json tokenizer = read_json(directory / "tokenizer.json");
    if (!tokenizer.is_object() || !tokenizer.contains("model") || !tokenizer["model"].is_object()) {
      throw_error(ErrorKind::bad_file, "{}: expected an object 'model'", name_);
    }
    check_model(tokenizer);
    check_normalizer(tokenizer.value("normalizer", json()));
    read_vocabulary(tokenizer["model"], vocabulary_size);
    read_added_tokens(tokenizer, vocabulary_size);
    for (size_t id = 0; id < tokens_.size(); ++id) {
      if (types_[id] == kUnused) tokens_[id] = fmt::format("[PAD{}]", id);
    }
    read_merges(tokenizer["model"]);
    pre_ = find_pre(tokenizer);
    first_special_ = leading_special_token(tokenizer);
  }

  const std::string& name() const { return name_; }
  const std::string& pre() const { return pre_; }
  std::span<const std::string> tokens() const { return tokens_; }
  std::span<const int32_t> types() const { return types_; }
  std::span<const std::string> merges() const { return merges_; }
  /// The token that the post-processor puts first; empty: none.
  const std::string& first_special() const { return first_special_; }
  std::optional<uint32_t> id(const std::string& token) const {
    const auto found = ids_.find(token);
    if (found == ids_.end()) return std::nullopt;
    return found->second;
  }

 private:
  void check_model(const json& tokenizer) const {
    const json& model = tokenizer["model"];
    const json type = model.value("type", json());
    const json fallback = model.value("byte_fallback", json());
    if ((!type.is_null() && type != "BPE") || (!fallback.is_null() && fallback != false)) {
      throw_error(ErrorKind::unsupported, "{}: model.type: expected byte-level BPE, found {}{}", name_,
                  short_json(type), fallback == true ? " with byte_fallback (SentencePiece)" : "");
    }
  }

  /// GGUF says nothing of normalisation: only what the three vocabularies have (nothing, or NFC) may pass.
  void check_normalizer(const json& normalizer) const {
    if (normalizer.is_null()) return;
    const json type = normalizer.is_object() ? normalizer.value("type", json()) : json();
    if (type == "NFC") return;
    if (type == "Sequence" && normalizer.value("normalizers", json()).is_array()) {
      for (const json& step : normalizer["normalizers"]) check_normalizer(step);
      return;
    }
    throw_error(ErrorKind::unsupported, "{}: normalizer: expected none or NFC, found {}", name_,
                short_json(normalizer));
  }

  void set(const std::string& token, const json& id, int32_t type, int64_t vocabulary_size) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(vocabulary_size)) {
      throw_error(ErrorKind::bad_file,
                  "{}: token '{}': expected an id below the model's vocab_size {}, found {}", name_, token,
                  vocabulary_size, short_json(id));
    }
    const auto index = id.get<size_t>();
    // An added token may repeat one of the vocabulary.
    if (types_[index] != kUnused && tokens_[index] != token) {
      throw_error(ErrorKind::bad_file, "{}: tokens '{}' and '{}' have the same id {}", name_, tokens_[index],
                  token, index);
    }
    tokens_[index] = token;
    types_[index] = type;
    ids_[token] = static_cast<uint32_t>(index);
  }

  void read_vocabulary(const json& model, int64_t vocabulary_size) {
    if (!model.contains("vocab") || !model["vocab"].is_object()) {
      throw_error(ErrorKind::bad_file, "{}: model.vocab: expected an object of tokens and ids", name_);
    }
    tokens_.resize(static_cast<size_t>(vocabulary_size));
    types_.assign(static_cast<size_t>(vocabulary_size), kUnused);
    for (const auto& [token, id] : model["vocab"].items()) set(token, id, kNormal, vocabulary_size);
  }

  void read_added_tokens(const json& tokenizer, int64_t vocabulary_size) {
    const json added = tokenizer.value("added_tokens", json::array());
    for (const json& entry : added) {
      if (!entry.is_object() || !entry.value("content", json()).is_string()) {
        throw_error(ErrorKind::bad_file, "{}: added_tokens: expected objects with 'content', found {}", name_,
                    short_json(entry));
      }
      const auto content = entry["content"].get<std::string>();
      // Tokens like <|x|> and <｜x｜> act as control tokens even where the file does not call them special.
      const bool looks_special = (content.starts_with("<|") && content.ends_with("|>")) ||
                                 (content.starts_with("<｜") && content.ends_with("｜>"));
      const bool special = entry.value("special", json()) == true || looks_special;
      set(content, entry.value("id", json()), special ? kControl : kUserDefined, vocabulary_size);
    }
  }

  void read_merges(const json& model) {
    const json& merges = model.contains("merges") ? model["merges"] : json();
    if (!merges.is_array() || merges.empty()) {
      throw_error(ErrorKind::bad_file, "{}: model.merges: expected a list of pairs", name_);
    }
    for (const json& merge : merges) {
      std::string text;
      if (merge.is_string()) {
        text = merge.get<std::string>();
      } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        text = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
      }
      // Byte-level letters have no blank, so that one blank separates the two.
      if (std::count(text.begin(), text.end(), ' ') != 1) {
        throw_error(ErrorKind::bad_file, "{}: model.merges: expected two tokens, found {}", name_,
                    short_json(merge));
      }
      merges_.push_back(std::move(text));
    }
  }

  std::string find_pre(const json& tokenizer) const {
    std::vector<std::string> patterns;
    const json pre_tokenizer = tokenizer.value("pre_tokenizer", json::object());
    const json steps = pre_tokenizer.is_object() && pre_tokenizer.value("type", json()) == "Sequence"
                           ? pre_tokenizer.value("pretokenizers", json::array())
                           : json::array({pre_tokenizer});
    for (const json& step : steps) {
      const json type = step.is_object() ? step.value("type", json()) : json();
      if (type == "ByteLevel" && step.value("use_regex", json()) != true &&
          step.value("add_prefix_space", json()) != true) {
        continue;
      }
      const json pattern = type == "Split" ? step.value("pattern", json::object()) : json();
      const json regex = pattern.is_object() ? pattern.value("Regex", json()) : json();
      if (!regex.is_string() || step.value("behavior", json()) != "Isolated" ||
          step.value("invert", json()) == true) {
        throw_error(ErrorKind::unsupported, "{}: pre_tokenizer: step {} is not supported", name_,
                    short_json(step));
      }
      patterns.push_back(regex.get<std::string>());
    }
    if (patterns.size() == 1 && patterns[0] == kQwen2Pattern) {
      return ids_.contains("<｜User｜>") ? "deepseek-r1-qwen" : "qwen2";
    }
    if (patterns.size() == 1 && patterns[0] == kLlama3Pattern) return "llama-bpe";
    if (std::equal(patterns.begin(), patterns.end(), kDeepseekV3Patterns.begin(),
                   kDeepseekV3Patterns.end())) {
      return "deepseek-v3";
    }
    throw_error(ErrorKind::unsupported,
                "{}: pre_tokenizer: expected the patterns of Qwen2, Llama 3 or DeepSeek-V3, found {}", name_,
                short_json(json(patterns)));
  }

  /// The special token that begins post_processor's template for one text.
  static std::string leading_special_token(const json& tokenizer) {
    const json post = tokenizer.value("post_processor", json());
    if (!post.is_object()) return {};
    for (const json& step : post.value("processors", json::array({post}))) {
      if (!step.is_object() || step.value("type", json()) != "TemplateProcessing") continue;
      const json single = step.value("single", json::array());
      if (!single.is_array() || single.empty() || !single[0].is_object()) continue;
      const json special = single[0].value("SpecialToken", json::object());
      if (special.is_object() && special.value("id", json()).is_string())
        return special["id"].get<std::string>();
    }
    return {};
  }

  std::string name_;
  std::string pre_;
  std::string first_special_;
  std::vector<std::string> tokens_;  // by id
  std::vector<int32_t> types_;
  std::vector<std::string> merges_;
  std::unordered_map<std::string, uint32_t> ids_;
};

/// The text of tokenizer_config's `bos_token` and the like: a string or an object with `content`.
std::string token_text(const json& config, const std::string& key) {
  const json value = config.value(key, json());
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.value("content", json()).is_string())
    return value["content"].get<std::string>();
  return {};
}

struct SpecialToken {
  const char* kind;
  const char* key;
};
constexpr SpecialToken kSpecialTokens[] = {
    {"bos", "tokenizer.ggml.bos_token_id"},
    {"eos", "tokenizer.ggml.eos_token_id"},
    {"unk", "tokenizer.ggml.unknown_token_id"},
    {"pad", "tokenizer.ggml.padding_token_id"},
};

}  // namespace

void write_tokenizer_metadata(GgufWriter& writer, const std::filesystem::path& directory,
                              int64_t vocabulary_size) {
  const HubTokenizer tokenizer(directory, vocabulary_size);
  const auto config_path = directory / "tokenizer_config.json";
  json config = json::object();
  if (std::filesystem::exists(config_path)) config = read_json(config_path);
  json model_config = json::object();
  if (std::filesystem::exists(directory / "config.json")) model_config = read_json(directory / "config.json");
  if (!config.is_object() || !model_config.is_object()) {
    throw_error(ErrorKind::bad_file, "{}: expected a JSON object", config_path.string());
  }

  writer.set_string("tokenizer.ggml.model", "gpt2");
  writer.set_string("tokenizer.ggml.pre", tokenizer.pre());
  writer.set_strings("tokenizer.ggml.tokens", tokenizer.tokens());
  writer.set_i32s("tokenizer.ggml.token_type", tokenizer.types());
  writer.set_strings("tokenizer.ggml.merges", tokenizer.merges());
  for (const SpecialToken& special : kSpecialTokens) {
    const std::string text = token_text(config, fmt::format("{}_token", special.kind));
    const json configured = model_config.value(fmt::format("{}_token_id", special.kind), json());
    if (!text.empty()) {
      const auto id = tokenizer.id(text);
      if (!id) {
        throw_error(ErrorKind::bad_file, "{}: {}_token '{}' is not in tokenizer.json", config_path.string(),
                    special.kind, text);
      }
      writer.set_u32(special.key, *id);
    } else if (configured.is_number_unsigned() &&
               configured.get<uint64_t>() < static_cast<uint64_t>(vocabulary_size)) {
      writer.set_u32(special.key, configured.get<uint32_t>());
    }
  }
  if (config.value("add_bos_token", json()).is_boolean()) {
    writer.set_bool("tokenizer.ggml.add_bos_token", config["add_bos_token"].get<bool>());
  } else if (!tokenizer.first_special().empty()) {
    writer.set_bool("tokenizer.ggml.add_bos_token",
                    tokenizer.first_special() == token_text(config, "bos_token"));
  }
  if (config.value("add_eos_token", json()).is_boolean()) {
    writer.set_bool("tokenizer.ggml.add_eos_token", config["add_eos_token"].get<bool>());
  }
  if (const auto text = read_chat_template(directory)) writer.set_string("tokenizer.chat_template", *text);
}

}  // namespace r1
