#include "text/tokenizer.h"

#include <fmt/format.h>

#include <mutex>

#include "base/error.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace r1 {
namespace {

struct Scratch {
  BytePairScratch pairs;
  SentencePieceScratch sentence;
  PreTokenizerScratch pre;
  std::vector<TextPart> parts;
  std::vector<TextPart> normalised_parts;
};

/// Scratch spaces kept for the next call: as many as threads that encode at the same time, up to this.
constexpr size_t max_kept_scratch = 64;
/// A call on more text than this frees its scratch space afterwards.
constexpr size_t max_kept_text = 4 << 20;

}  // namespace

struct Tokenizer::State {
  explicit State(TokenizerParts tokenizer_parts) : parts(std::move(tokenizer_parts)) {}

  std::unique_ptr<Scratch> take_scratch() {
    {
      const std::lock_guard lock(mutex);
      if (!free_scratch.empty()) {
        auto scratch = std::move(free_scratch.back());
        free_scratch.pop_back();
        return scratch;
      }
    }
    return std::make_unique<Scratch>();
  }

  void give_back(std::unique_ptr<Scratch> scratch) {
    const std::lock_guard lock(mutex);
    if (free_scratch.size() < max_kept_scratch) {
      free_scratch.push_back(std::move(scratch));
    }
  }

  /// Whether SentencePiece text gets a space in front: `after_token` at the beginning and behind a special
  /// token, `first` at the beginning alone.
  static bool wants_prefix(SpacePrefix prefix, std::string_view text, bool after_token, bool first) {
    switch (prefix) {
      case SpacePrefix::never:
        break;
      case SpacePrefix::always:
        return after_token;
      case SpacePrefix::always_unless_space:
        return after_token && !text.starts_with(' ');
      case SpacePrefix::first_unless_space:
        return first && !text.starts_with(' ');
    }
    return false;
  }

  void encode_plain(std::string_view text, bool after_token, bool first, Scratch& scratch,
                    std::vector<int32_t>& out) const {
    if (const auto* model = std::get_if<ByteLevelModel>(&parts.model)) {
      model->pre_tokenizer.split(
          text, scratch.pre, [&](std::string_view word) { model->encoder.encode(word, scratch.pairs, out); });
    } else {
      const auto& sentence_piece = std::get<SentencePieceModel>(parts.model);
      sentence_piece.encoder.encode(text, wants_prefix(sentence_piece.prefix, text, after_token, first),
                                    scratch.sentence, out);
    }
  }

  void encode(std::string_view text, bool parse_special, Scratch& scratch, std::vector<int32_t>& out) const {
    scratch.parts.clear();
    parts.added.split(text, parse_special, scratch.parts);
    bool after_token = true;  // the beginning counts: SentencePiece text there gets its space
    bool first = true;
    for (const TextPart& part : scratch.parts) {
      if (part.id >= 0) {
        out.push_back(part.id);
        after_token = true;
        first = false;
        continue;
      }
      std::string normalised;
      std::string_view plain = part.text;
      if (parts.nfc && !is_surely_nfc(plain)) {
        normalised = normalise_nfc(plain);
        plain = normalised;
      }
      if (parts.added_normalised.empty()) {
        encode_plain(plain, after_token, first, scratch, out);
        after_token = false;
        first = false;
        continue;
      }
      scratch.normalised_parts.clear();
      parts.added_normalised.split(plain, parse_special, scratch.normalised_parts);
      for (const TextPart& piece : scratch.normalised_parts) {
        if (piece.id >= 0) {
          out.push_back(piece.id);
        } else {
          encode_plain(piece.text, after_token, first, scratch, out);
        }
        after_token = piece.id >= 0;
        first = false;
      }
    }
  }

  const TokenizerParts parts;
  std::mutex mutex;
  std::vector<std::unique_ptr<Scratch>> free_scratch;  // guarded by mutex
};

Tokenizer::Tokenizer(TokenizerParts parts) : state_(std::make_shared<State>(std::move(parts))) {}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool parse_special) const {
  std::vector<int32_t> out;
  out.reserve(text.size() / 4 + 4);
  encode(text, parse_special, out);
  return out;
}

void Tokenizer::encode(std::string_view text, bool parse_special, std::vector<int32_t>& out) const {
  std::string repaired;
  if (!is_valid_utf8(text)) {
    repaired = repair_utf8(text);
    text = repaired;
  }
  auto scratch = state_->take_scratch();
  state_->encode(text, parse_special, *scratch, out);
  if (text.size() <= max_kept_text) {
    state_->give_back(std::move(scratch));
  }
}

int32_t Tokenizer::size() const {
  return state_->parts.vocabulary.size();
}

bool Tokenizer::is_token(int32_t id) const {
  const TokenTable& table = state_->parts.vocabulary;
  return table.contains(id) && table[id].kind != TokenKind::absent && table[id].kind != TokenKind::unused;
}

std::string_view Tokenizer::token_text(int32_t id) const {
  return state_->parts.vocabulary.at(id).text;
}

std::string_view Tokenizer::token_bytes(int32_t id) const {
  return state_->parts.vocabulary.at(id).bytes;
}

bool Tokenizer::is_special(int32_t id) const {
  const TokenKind kind = state_->parts.vocabulary.at(id).kind;
  return kind == TokenKind::control || kind == TokenKind::unknown;
}

bool Tokenizer::is_added(int32_t id) const {
  return is_special(id) || state_->parts.vocabulary.at(id).kind == TokenKind::added;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  const auto* sentence_piece = std::get_if<SentencePieceModel>(&state_->parts.model);
  bool strip_space = sentence_piece != nullptr && sentence_piece->prefix != SpacePrefix::never;
  std::string bytes;
  for (const int32_t id : ids) {
    std::string_view piece = token_bytes(id);
    if (is_special(id)) {
      if (!skip_special) {
        bytes += piece;
      }
      continue;
    }
    if (strip_space && piece.starts_with(' ')) {
      piece.remove_prefix(1);
    }
    strip_space = false;
    bytes += piece;
  }
  return is_valid_utf8(bytes) ? bytes : repair_utf8(bytes);
}

std::optional<int32_t> Tokenizer::find_special(std::string_view content) const {
  // Seldom asked, so there is no table for it; special and added tokens win over ordinary ones.
  std::optional<int32_t> found;
  for (int32_t id = 0; id < size(); ++id) {
    const TokenEntry& entry = state_->parts.vocabulary[id];
    if (entry.kind != TokenKind::absent && entry.text == content) {
      if (is_added(id)) {
        return id;
      }
      found = found ? found : id;
    }
  }
  return found;
}

std::optional<int32_t> Tokenizer::bos() const {
  return state_->parts.bos;
}
std::optional<int32_t> Tokenizer::eos() const {
  return state_->parts.eos;
}
bool Tokenizer::add_bos() const {
  return state_->parts.add_bos;
}
bool Tokenizer::add_eos() const {
  return state_->parts.add_eos;
}

namespace {

int32_t type_of_kind(TokenKind kind) {
  switch (kind) {
    case TokenKind::normal:
      return 1;
    case TokenKind::unknown:
      return 2;
    case TokenKind::control:
      return 3;
    case TokenKind::added:
      return 4;
    case TokenKind::absent:
    case TokenKind::unused:
      return 5;
    case TokenKind::byte:
      return 6;
  }
  return 5;
}

std::string_view prefix_name(SpacePrefix prefix) {
  switch (prefix) {
    case SpacePrefix::never:
      return "never";
    case SpacePrefix::always:
      return "always";
    case SpacePrefix::always_unless_space:
      return "always_unless_space";
    case SpacePrefix::first_unless_space:
      return "first_unless_space";
  }
  return "never";
}

/// The name of a byte-level model's pre-tokeniser, which must also say the rest of its rules.
std::string pre_name(const ByteLevelModel& model, const TokenizerParts& parts) {
  const BytePairEncoder::Options& options = model.encoder.options();
  const bool is_r1 = parts.added.contains("<｜User｜>") || parts.added_normalised.contains("<｜User｜>");
  const NamedPreTokenizer* named =
      find_pre_tokenizer(model.pre_tokenizer, is_r1, parts.nfc, options.ignore_merges);
  if (named == nullptr) {
    throw_error(
        ErrorKind::unsupported,
        "tokenizer: pre_tokenizer: expected the patterns of a pre-tokeniser with a GGUF name ({}), found "
        "others",
        known_pre_tokenizers());
  }
  const auto refuse = [&](std::string_view rule, bool found, bool expected) {
    if (found != expected) {
      throw_error(ErrorKind::unsupported, "tokenizer: {} is {}, but \"{}\" in a GGUF file means {}", rule,
                  found, named->name, expected);
    }
  };
  refuse("normalizer NFC", parts.nfc, named->nfc);
  refuse("ignore_merges", options.ignore_merges, named->ignore_merges);
  if (options.fuse_unknown && options.unknown_id >= 0) {
    for (int byte = 0; byte < 256; ++byte) {
      refuse("fuse_unk beside bytes without a token",
             !model.encoder.has_byte(static_cast<unsigned char>(byte)), false);
    }
  }
  return std::string(named->name);
}

}  // namespace

VocabularyLists Tokenizer::lists() const {
  const TokenizerParts& parts = state_->parts;
  const TokenTable& vocabulary = parts.vocabulary;
  VocabularyLists lists;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    lists.pieces.emplace_back(vocabulary[id].text);
    lists.types.push_back(type_of_kind(vocabulary[id].kind));
  }
  std::vector<BytePairEncoder::Merge> merges;
  if (const auto* model = std::get_if<ByteLevelModel>(&parts.model)) {
    lists.model = "gpt2";
    lists.pre = pre_name(*model, parts);
    merges = model->encoder.merges();
  } else {
    const auto& sentence_piece = std::get<SentencePieceModel>(parts.model);
    if (parts.nfc) {
      throw_error(ErrorKind::unsupported, "tokenizer: normalizer NFC beside U+2581 cannot be said in lists");
    }
    lists.model = "llama";
    lists.add_space_prefix = sentence_piece.prefix != SpacePrefix::never;
    lists.space_prefix = prefix_name(sentence_piece.prefix);
    lists.scores = sentence_piece.scores;
    merges = sentence_piece.merges;
  }
  for (const BytePairEncoder::Merge& merge : merges) {
    lists.merges.push_back(fmt::format("{} {}", vocabulary[merge.left].text, vocabulary[merge.right].text));
  }
  if (parts.added.has_flags() || parts.added_normalised.has_flags()) {
    lists.remarks.emplace_back(
        "tokenizer: white space that added tokens take along (lstrip, rstrip) or need (single_word) cannot "
        "be "
        "said in lists");
  }
  return lists;
}

}  // namespace r1
