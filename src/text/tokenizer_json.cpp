// Tokenizer::from_hub: from a hub's tokenizer.json, the format of Hugging Face's tokenizers library, and
// tokenizer_config.json. Every kind that is not known here is refused by name.
#include <simdjson.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/tokenizer.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace r1 {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr int max_nesting = 16;

/// A value of the file with its place there, for messages.
class Node {
 public:
  Node(element value, std::string place) : value_(value), place_(std::move(place)) {}

  bool is_null() const { return value_.is_null(); }
  bool is_string() const { return value_.is_string(); }
  bool is_object() const { return value_.is_object(); }
  bool is_array() const { return value_.is_array(); }
  const std::string& place() const { return place_; }

  std::string_view text() const { return get<std::string_view>("a string"); }
  bool boolean() const { return get<bool>("true or false"); }
  int64_t integer() const { return get<int64_t>("an integer"); }
  object members() const { return get<object>("an object"); }
  array items() const { return get<array>("a list"); }

  /// The member `key`; nothing when it is absent or null.
  std::optional<Node> find(const char* key) const {
    element value;
    if (members().at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) {
      return std::nullopt;
    }
    return Node(value, place_ + "." + key);
  }

  Node at(const char* key) const {
    const auto found = find(key);
    if (!found) {
      throw_error(ErrorKind::bad_file, "{}: expected a member \"{}\", found none", place_, key);
    }
    return *found;
  }

  bool flag(const char* key, bool absent) const {
    const auto found = find(key);
    return found ? found->boolean() : absent;
  }

  std::vector<Node> list() const {
    std::vector<Node> nodes;
    for (const element item : items()) {
      nodes.emplace_back(item, fmt::format("{}[{}]", place_, nodes.size()));
    }
    return nodes;
  }

  [[noreturn]] void refuse(std::string_view known) const {
    throw_error(ErrorKind::unsupported, "{}: \"{}\" is not supported, expected {}", place_, at("type").text(),
                known);
  }

 private:
  template <typename T>
  T get(std::string_view expected) const {
    T found;
    if (value_.get(found) != simdjson::SUCCESS) {
      throw_error(ErrorKind::bad_file, "{}: expected {}, found another type", place_, expected);
    }
    return found;
  }

  element value_;
  std::string place_;
};

class Document {
 public:
  Document(std::string_view text, const std::string& name) {
    const auto error = parser_.parse(text.data(), text.size(), true).get(root_);
    if (error != simdjson::SUCCESS) {
      throw_error(ErrorKind::bad_file, "{}: not JSON: {}", name, simdjson::error_message(error));
    }
    name_ = name;
  }

  Node root() const { return Node(root_, name_); }

 private:
  simdjson::dom::parser parser_;
  element root_;
  std::string name_;
};

void check_nesting(const Node& node, int depth) {
  if (depth > max_nesting) {
    throw_error(ErrorKind::bad_file, "{}: nested more than {} deep", node.place(), max_nesting);
  }
}

bool read_normalizer(const Node& node, int depth = 0) {
  check_nesting(node, depth);
  const std::string_view type = node.at("type").text();
  if (type == "NFC") {
    return true;
  }
  if (type != "Sequence") {
    node.refuse("NFC or Sequence");
  }
  bool nfc = false;
  for (const Node& part : node.at("normalizers").list()) {
    nfc = read_normalizer(part, depth + 1) || nfc;
  }
  return nfc;
}

SplitStep read_split(const Node& node) {
  SplitStep step;
  const Node pattern = node.at("pattern");
  if (const auto regex = pattern.find("Regex")) {
    step.pattern = std::string(regex->text());
  } else {
    step.pattern = escape_regex(pattern.at("String").text());
  }
  const Node behaviour = node.at("behavior");
  constexpr std::pair<std::string_view, SplitBehaviour> behaviours[] = {
      {"Removed", SplitBehaviour::removed},
      {"Isolated", SplitBehaviour::isolated},
      {"MergedWithPrevious", SplitBehaviour::merged_with_previous},
      {"MergedWithNext", SplitBehaviour::merged_with_next},
      {"Contiguous", SplitBehaviour::contiguous}};
  const auto* found = std::find_if(std::begin(behaviours), std::end(behaviours),
                                   [&](const auto& entry) { return entry.first == behaviour.text(); });
  if (found == std::end(behaviours)) {
    throw_error(ErrorKind::unsupported,
                "{}: \"{}\" is not known, expected Removed, Isolated, MergedWithPrevious, MergedWithNext or "
                "Contiguous",
                behaviour.place(), behaviour.text());
  }
  step.behaviour = found->second;
  step.invert = node.flag("invert", false);
  return step;
}

void read_pre_tokenizer(const Node& node, std::vector<PreTokenizerStep>& steps, int depth = 0) {
  check_nesting(node, depth);
  const std::string_view type = node.at("type").text();
  if (type == "Sequence") {
    for (const Node& part : node.at("pretokenizers").list()) {
      read_pre_tokenizer(part, steps, depth + 1);
    }
  } else if (type == "Split") {
    steps.emplace_back(read_split(node));
  } else if (type == "ByteLevel") {
    steps.emplace_back(ByteLevelStep{node.flag("add_prefix_space", true), node.flag("use_regex", true)});
  } else if (type == "Digits") {
    steps.emplace_back(DigitsStep{node.flag("individual_digits", false)});
  } else {
    node.refuse("Sequence, Split, ByteLevel or Digits");
  }
}

void check_decoder(const Node& node, int depth = 0) {
  check_nesting(node, depth);
  const std::string_view type = node.at("type").text();
  if (type == "Sequence") {
    for (const Node& part : node.at("decoders").list()) {
      check_decoder(part, depth + 1);
    }
  } else if (type != "ByteLevel") {
    node.refuse("ByteLevel or Sequence");
  }
}

/// The special tokens that a post-processor puts around one text.
struct Surroundings {
  std::optional<std::string> before;
  std::optional<std::string> after;
};

void read_post_processor(const Node& node, Surroundings& around, int depth = 0) {
  check_nesting(node, depth);
  const std::string_view type = node.at("type").text();
  if (type == "Sequence") {
    for (const Node& part : node.at("processors").list()) {
      read_post_processor(part, around, depth + 1);
    }
  } else if (type == "TemplateProcessing") {
    bool seen_text = false;
    for (const Node& item : node.at("single").list()) {
      if (item.find("Sequence")) {
        seen_text = true;
        continue;
      }
      auto& side = seen_text ? around.after : around.before;
      if (side) {
        throw_error(ErrorKind::unsupported, "{}: two special tokens on one side, expected one", item.place());
      }
      side = std::string(item.at("SpecialToken").at("id").text());
    }
  } else if (type != "ByteLevel") {
    node.refuse("ByteLevel, TemplateProcessing or Sequence");
  }
}

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

std::vector<std::pair<std::string_view, std::string_view>> read_merges(const Node& node) {
  std::vector<std::pair<std::string_view, std::string_view>> merges;
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
  if (const std::string_view type = model.at("type").text(); type != "BPE") {
    model.refuse("BPE");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (const auto value = model.find(key); value && !value->text().empty()) {
      throw_error(ErrorKind::unsupported, "{}: \"{}\" is not supported, expected none", value->place(),
                  value->text());
    }
  }
  if (model.flag("byte_fallback", false)) {
    throw_error(ErrorKind::unsupported,
                "{}.byte_fallback: true is not supported for byte-level BPE, expected false", model.place());
  }
  if (const auto dropout = model.find("dropout")) {
    throw_error(ErrorKind::unsupported, "{}: expected null (no dropout)", dropout->place());
  }
}

/// Enters the added tokens into the vocabulary, and sorts them by when they are matched.
void enter_added(std::vector<AddedToken> added, bool nfc, TokenTable& vocabulary, TokenizerParts& parts) {
  std::vector<AddedToken> before;
  std::vector<AddedToken> after;
  for (AddedToken& token : added) {
    const TokenKind kind = token.special ? TokenKind::control : TokenKind::added;
    const TokenEntry& present = vocabulary[token.id];
    if (present.kind == TokenKind::normal && present.text == token.content) {
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

int32_t find_token(const TokenTable& vocabulary, std::string_view content, const std::string& place) {
  for (int32_t id = vocabulary.size() - 1; id >= 0; --id) {
    if (vocabulary[id].kind != TokenKind::absent && vocabulary[id].text == content) {
      return id;
    }
  }
  throw_error(ErrorKind::bad_file, "{}: \"{}\" is no token of the vocabulary", place, content);
}

void read_sentence_ends(const Surroundings& around, TokenizerParts& parts) {
  if (around.before) {
    parts.bos = find_token(parts.vocabulary, *around.before, "tokenizer.json.post_processor");
    parts.add_bos = true;
  }
  if (around.after) {
    parts.eos = find_token(parts.vocabulary, *around.after, "tokenizer.json.post_processor");
    parts.add_eos = true;
  }
}

/// tokenizer_config.json is small and holds numbers beyond 64 bits (model_max_length), so nlohmann reads it.
class Config {
 public:
  explicit Config(std::string_view text) {
    try {
      root_ = nlohmann::json::parse(text);
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
    return find_token(vocabulary, content.get<std::string>(), fmt::format("tokenizer_config.json.{}", key));
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

}  // namespace

Tokenizer Tokenizer::from_hub(std::string_view tokenizer_json,
                              std::optional<std::string_view> tokenizer_config_json) {
  const Document document(tokenizer_json, "tokenizer.json");
  const Node root = document.root();
  const Node model = root.at("model");
  check_model(model);

  bool nfc = false;
  if (const auto normalizer = root.find("normalizer")) {
    nfc = read_normalizer(*normalizer);
  }
  std::vector<PreTokenizerStep> steps;
  if (const auto pre_tokenizer = root.find("pre_tokenizer")) {
    read_pre_tokenizer(*pre_tokenizer, steps);
  }
  const auto byte_levels = std::count_if(steps.begin(), steps.end(), [](const PreTokenizerStep& step) {
    return std::holds_alternative<ByteLevelStep>(step);
  });
  if (byte_levels != 1 || !std::holds_alternative<ByteLevelStep>(steps.back())) {
    throw_error(ErrorKind::unsupported,
                "tokenizer.json.pre_tokenizer: {} ByteLevel steps, expected one, at the end (byte-level BPE)",
                byte_levels);
  }
  if (const auto decoder = root.find("decoder")) {
    check_decoder(*decoder);
  }
  Surroundings around;
  if (const auto post_processor = root.find("post_processor")) {
    read_post_processor(*post_processor, around);
  }

  std::vector<AddedToken> added;
  if (const auto list = root.find("added_tokens")) {
    for (const Node& node : list->list()) {
      added.push_back(read_added_token(node));
    }
  }
  const Node vocab = model.at("vocab");
  TokenTable vocabulary(vocabulary_size(vocab, added));
  for (const auto [piece, value] : vocab.members()) {
    const auto bytes = byte_level_to_bytes(piece);
    vocabulary.set(int64_t{value}, piece, bytes ? std::string_view(*bytes) : piece, TokenKind::normal);
  }
  BytePairEncoder::Options options;
  options.ignore_merges = model.flag("ignore_merges", false);
  options.fuse_unknown = model.flag("fuse_unk", false);
  if (const auto unknown = model.find("unk_token")) {
    options.unknown_id = find_token(vocabulary, unknown->text(), unknown->place());
  }
  BytePairEncoder encoder = make_byte_pair_encoder(vocabulary, read_merges(model.at("merges")), options);

  TokenizerParts parts{std::move(vocabulary),
                       ByteLevelModel{PreTokenizer(std::move(steps)), std::move(encoder)},
                       AddedTokenMatcher(),
                       AddedTokenMatcher(),
                       nfc,
                       std::nullopt,
                       std::nullopt,
                       false,
                       false};
  enter_added(std::move(added), nfc, parts.vocabulary, parts);
  read_sentence_ends(around, parts);
  if (tokenizer_config_json) {
    read_config(*tokenizer_config_json, parts);
  }
  return Tokenizer(std::move(parts));
}

}  // namespace r1
