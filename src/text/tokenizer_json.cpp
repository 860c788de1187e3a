// Tokenizer::from_hub: from a hub's tokenizer.json, the format of Hugging Face's tokenizers library, and
// tokenizer_config.json. Every kind that is not known here is refused by name.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_text.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json_node.h"
#include "text/tokenizer_json_steps.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace r1 {
namespace {

using namespace tokenizer_json;

AddedToken read_added_token(const Node& node) {
  AddedToken token;
  token.content = std::string(node.at("content").text());
  const int64_t id = node.at("id").integer();
  if (id < 0 || id > INT32_MAX - 1) {
    throw_error(ErrorKind::bad_file, "{}: id {}, expected 0 to {}", node.place(), id, INT32_MAX - 1);
  }
  token.id = static_cast<int32_t>(id);
  token.special = node.flag("special", false);
  token.normalised = node.flag("normalized", !token.special);
  token.strip_left = node.flag("lstrip", false);
  token.strip_right = node.flag("rstrip", false);
  token.single_word = node.flag("single_word", false);
  return token;
}

/// The size of the vocabulary: one more than the highest id, which must not be absurdly high.
size_t vocabulary_size(const Node& vocab, const std::vector<AddedToken>& added) {
  int64_t highest = -1;
  size_t count = added.size();
  for (const AddedToken& token : added) {
    highest = std::max<int64_t>(highest, token.id);
  }
  for (const auto [piece, value] : vocab.members()) {
    int64_t id = 0;
    if (value.get(id) != simdjson::SUCCESS || id < 0) {
      throw_error(ErrorKind::bad_file, "{}: the id of \"{}\" is no integer of 0 or more", vocab.place(),
                  piece);
    }
    highest = std::max(highest, id);
    ++count;
  }
  const size_t limit = count * 4 + 65536;
  if (count == 0 || highest >= static_cast<int64_t>(limit)) {
    throw_error(ErrorKind::bad_file, "{}: highest id {} with {} tokens, expected less than {}", vocab.place(),
                highest, count, count == 0 ? 0 : limit);
  }
  return static_cast<size_t>(highest) + 1;
}

WrittenMerges read_merges(const Node& node) {
  WrittenMerges merges;
  const array items = node.items();
  merges.reserve(items.size());
  for (const element item : items) {
    std::string_view text;
    array parts;
    std::string_view left;
    std::string_view right;
    if (item.get(text) == simdjson::SUCCESS) {
      const size_t space = text.find(' ');
      if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos) {
        merges.emplace_back(text.substr(0, space), text.substr(space + 1));
        continue;
      }
    } else if (item.get(parts) == simdjson::SUCCESS && parts.size() == 2 &&
               parts.at(0).get(left) == simdjson::SUCCESS && parts.at(1).get(right) == simdjson::SUCCESS) {
      merges.emplace_back(left, right);
      continue;
    }
    throw_error(ErrorKind::bad_file, "{}[{}]: expected \"left right\" or [\"left\", \"right\"]", node.place(),
                merges.size());
  }
  return merges;
}

void check_model(const Node& model) {
  // Files of old versions of the library do not say the type of a BPE model.
  if (const auto type = model.find("type"); type && type->text() != "BPE") {
    model.refuse("BPE");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (const auto value = model.find(key); value && !value->text().empty()) {
      throw_error(ErrorKind::unsupported, "{}: \"{}\" is not supported, expected none", value->place(),
                  value->text());
    }
  }
  if (const auto dropout = model.find("dropout"); dropout && dropout->number() != 0) {
    throw_error(ErrorKind::unsupported, "{}: {} is not supported, expected none", dropout->place(),
                dropout->number());
  }
}

/// Ordinary pieces with the name of an end of text become added tokens too.
void add_end_names(const TokenTable& vocabulary, std::vector<AddedToken>& added) {
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const TokenEntry& entry = vocabulary[id];
    if (entry.kind == TokenKind::normal && is_end_name(entry.text) &&
        std::ranges::find(added, id, &AddedToken::id) == added.end()) {
      added.push_back({.content = std::string(entry.text), .id = id, .special = true});
    }
  }
}

/// Enters the added tokens into the vocabulary, and sorts them by when they are matched.
void enter_added(std::vector<AddedToken> added, bool nfc, TokenTable& vocabulary, TokenizerParts& parts) {
  add_end_names(vocabulary, added);
  std::vector<AddedToken> before;
  std::vector<AddedToken> after;
  for (AddedToken& token : added) {
    token.special = token.special || is_end_name(token.content);
    const TokenEntry& present = vocabulary[token.id];
    const TokenKind kind = present.kind == TokenKind::unknown && token.special ? TokenKind::unknown
                           : token.special                                     ? TokenKind::control
                                                                               : TokenKind::added;
    if (present.kind != TokenKind::absent && present.text == token.content) {
      vocabulary.change_kind(token.id, kind);
      vocabulary.change_bytes(token.id, token.content);
    } else {
      vocabulary.set(token.id, token.content, token.content, kind);
    }
    if (token.normalised && nfc) {
      token.content = normalise_nfc(token.content);
    }
    (token.normalised ? after : before).push_back(std::move(token));
  }
  parts.added = AddedTokenMatcher(std::move(before));
  parts.added_normalised = AddedTokenMatcher(std::move(after));
}

std::optional<int32_t> find_token(const TokenTable& vocabulary, std::string_view content) {
  for (int32_t id = vocabulary.size() - 1; id >= 0; --id) {
    if (vocabulary[id].kind != TokenKind::absent && vocabulary[id].text == content) {
      return id;
    }
  }
  return std::nullopt;
}

int32_t require_token(const TokenTable& vocabulary, std::string_view content, const std::string& place) {
  if (const auto id = find_token(vocabulary, content)) {
    return *id;
  }
  throw_error(ErrorKind::bad_file, "{}: \"{}\" is no token of the vocabulary", place, content);
}

void read_sentence_ends(const Surroundings& around, TokenizerParts& parts) {
  if (around.before) {
    parts.bos = require_token(parts.vocabulary, *around.before, "tokenizer.json.post_processor");
    parts.add_bos = true;
  }
  if (around.after) {
    parts.eos = require_token(parts.vocabulary, *around.after, "tokenizer.json.post_processor");
    parts.add_eos = true;
  }
}

/// tokenizer_config.json is small and holds numbers beyond 64 bits (model_max_length), so nlohmann reads it.
class Config {
 public:
  explicit Config(std::string_view text) {
    try {
      root_ = parse_json_text<nlohmann::json>(text);
    } catch (const nlohmann::json::exception& error) {
      throw_error(ErrorKind::bad_file, "tokenizer_config.json: not JSON: {}", error.what());
    }
    if (!root_.is_object()) {
      throw_error(ErrorKind::bad_file, "tokenizer_config.json: expected an object, found {}",
                  root_.type_name());
    }
  }

  /// The token named by a string or by {"content": string}; nothing when absent or null.
  std::optional<int32_t> token(const char* key, const TokenTable& vocabulary) const {
    const auto found = root_.find(key);
    if (found == root_.end() || found->is_null()) {
      return std::nullopt;
    }
    const nlohmann::json content = found->is_object() ? found->value("content", nlohmann::json()) : *found;
    if (!content.is_string()) {
      throw_error(ErrorKind::bad_file,
                  "tokenizer_config.json.{}: expected a string or an object with \"content\"", key);
    }
    return require_token(vocabulary, content.get<std::string>(),
                         fmt::format("tokenizer_config.json.{}", key));
  }

  bool flag(const char* key, bool absent) const {
    const auto found = root_.find(key);
    if (found == root_.end() || found->is_null()) {
      return absent;
    }
    if (!found->is_boolean()) {
      throw_error(ErrorKind::bad_file, "tokenizer_config.json.{}: expected true or false, found {}", key,
                  found->type_name());
    }
    return found->get<bool>();
  }

 private:
  nlohmann::json root_;
};

void read_config(std::string_view text, TokenizerParts& parts) {
  const Config config(text);
  if (const auto bos = config.token("bos_token", parts.vocabulary)) {
    parts.bos = bos;
  }
  if (const auto eos = config.token("eos_token", parts.vocabulary)) {
    parts.eos = eos;
  }
  parts.add_bos = config.flag("add_bos_token", parts.add_bos);
  parts.add_eos = config.flag("add_eos_token", parts.add_eos);
  if ((parts.add_bos && !parts.bos) || (parts.add_eos && !parts.eos)) {
    const char* name = parts.add_bos && !parts.bos ? "bos" : "eos";
    throw_error(ErrorKind::bad_file,
                "tokenizer_config.json: add_{}_token is true, expected a {}_token, found none", name, name);
  }
}

/// A byte-level vocabulary ends its pre-tokeniser with ByteLevel; one with byte fallback marks spaces
/// instead.
void check_kind(const Node& root, const TextSteps& steps, bool byte_fallback) {
  const auto byte_levels = std::ranges::count_if(steps.pre_tokenizer, [](const PreTokenizerStep& step) {
    return std::holds_alternative<ByteLevelStep>(step);
  });
  if (byte_fallback) {
    if (!steps.pre_tokenizer.empty() || !steps.marks_spaces) {
      throw_error(
          ErrorKind::unsupported,
          "{}.model.byte_fallback: true is supported where spaces are written as U+2581 and the text is "
          "not split, found {} steps of a pre_tokenizer{}",
          root.place(), steps.pre_tokenizer.size(), steps.marks_spaces ? "" : " and no such writing");
    }
    return;
  }
  if (steps.marks_spaces || steps.prefix != SpacePrefix::never) {
    throw_error(ErrorKind::unsupported,
                "{}.model.byte_fallback: false is not supported beside spaces that are written as U+2581",
                root.place());
  }
  if (byte_levels != 1 || !std::holds_alternative<ByteLevelStep>(steps.pre_tokenizer.back())) {
    throw_error(ErrorKind::unsupported,
                "{}.pre_tokenizer: {} ByteLevel steps, expected one, at the end (byte-level BPE)",
                root.place(), byte_levels);
  }
}

bool is_byte_piece(std::string_view piece) {
  return piece.size() == 6 && piece.starts_with("<0x") && piece.ends_with('>') &&
         std::isxdigit(static_cast<unsigned char>(piece[3])) != 0 &&
         std::isxdigit(static_cast<unsigned char>(piece[4])) != 0;
}

/// Scores in the order of the merges, for readers that join by score: the earlier a piece can be made, the
/// higher.
std::vector<float> scores_of(const std::vector<BytePairEncoder::Merge>& merges,
                             const TokenTable& vocabulary) {
  std::vector<float> scores(static_cast<size_t>(vocabulary.size()), 0.0F);
  for (size_t rank = merges.size(); rank-- > 0;) {
    scores[static_cast<size_t>(merges[rank].merged)] = -static_cast<float>(rank + 1);
  }
  return scores;
}

}  // namespace

Tokenizer Tokenizer::from_hub(std::string_view tokenizer_json,
                              std::optional<std::string_view> tokenizer_config_json) {
  const Document document(tokenizer_json, "tokenizer.json");
  const Node root = document.root();
  const Node model = root.at("model");
  check_model(model);

  const bool byte_fallback = model.flag("byte_fallback", false);
  TextSteps steps = read_text_steps(root);
  check_kind(root, steps, byte_fallback);
  check_decoder(root, byte_fallback);

  std::vector<AddedToken> added;
  if (const auto list = root.find("added_tokens")) {
    for (const Node& node : list->list()) {
      added.push_back(read_added_token(node));
    }
  }
  const Node vocab = model.at("vocab");
  TokenTable vocabulary(vocabulary_size(vocab, added));
  const auto unknown_text = model.find("unk_token");
  for (const auto [piece, value] : vocab.members()) {
    const int64_t id{value};
    if (byte_fallback) {
      const TokenKind kind = is_byte_piece(piece)                            ? TokenKind::byte
                             : unknown_text && piece == unknown_text->text() ? TokenKind::unknown
                                                                             : TokenKind::normal;
      vocabulary.set(id, piece, sentence_piece_bytes(piece, kind, static_cast<size_t>(id)), kind);
    } else {
      const auto bytes = byte_level_to_bytes(piece);
      vocabulary.set(id, piece, bytes ? std::string_view(*bytes) : piece, TokenKind::normal);
    }
  }
  const std::optional<int32_t> unknown =
      unknown_text ? find_token(vocabulary, unknown_text->text()) : std::nullopt;
  constexpr VocabularyRules rules{.gguf = false};
  const WrittenMerges merges = read_merges(model.at("merges"));
  const auto make_model = [&]() -> std::variant<ByteLevelModel, SentencePieceModel> {
    if (byte_fallback) {
      std::vector<BytePairEncoder::Merge> by_id = merges_by_id(vocabulary, merges, rules, nullptr);
      std::vector<float> scores = scores_of(by_id, vocabulary);
      return make_sentence_piece_model(vocabulary, std::move(scores), std::move(by_id), unknown, steps.prefix,
                                       rules);
    }
    BytePairEncoder::Options options;
    options.ignore_merges = model.flag("ignore_merges", false);
    options.fuse_unknown = model.flag("fuse_unk", false);
    options.unknown_id = unknown.value_or(-1);
    return ByteLevelModel{PreTokenizer(std::move(steps.pre_tokenizer)),
                          make_byte_pair_encoder(vocabulary, merges, options, rules)};
  };
  std::variant<ByteLevelModel, SentencePieceModel> made = make_model();

  const bool nfc = steps.nfc;
  TokenizerParts parts{std::move(vocabulary),
                       std::move(made),
                       AddedTokenMatcher(),
                       AddedTokenMatcher(),
                       nfc,
                       std::nullopt,
                       std::nullopt,
                       false,
                       false};
  enter_added(std::move(added), nfc, parts.vocabulary, parts);
  read_sentence_ends(read_post_processor(root), parts);
  if (tokenizer_config_json) {
    read_config(*tokenizer_config_json, parts);
  }
  return Tokenizer(std::move(parts));
}

}  // namespace r1
