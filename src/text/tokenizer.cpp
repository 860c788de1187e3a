#include "text/tokenizer.h"

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

  void encode_plain(std::string_view text, bool space_prefix, Scratch& scratch,
                    std::vector<int32_t>& out) const {
    if (const auto* model = std::get_if<ByteLevelModel>(&parts.model)) {
      model->pre_tokenizer.split(
          text, scratch.pre, [&](std::string_view word) { model->encoder.encode(word, scratch.pairs, out); });
    } else {
      const auto& sentence_piece = std::get<SentencePieceModel>(parts.model);
      sentence_piece.encoder.encode(text, space_prefix && sentence_piece.add_space_prefix, scratch.sentence,
                                    out);
    }
  }

  void encode(std::string_view text, bool parse_special, Scratch& scratch, std::vector<int32_t>& out) const {
    scratch.parts.clear();
    parts.added.split(text, parse_special, scratch.parts);
    bool after_token = true;  // the beginning counts: SentencePiece text there gets its space
    for (const TextPart& part : scratch.parts) {
      if (part.id >= 0) {
        out.push_back(part.id);
        after_token = true;
        continue;
      }
      std::string normalised;
      std::string_view plain = part.text;
      if (parts.nfc && !is_surely_nfc(plain)) {
        normalised = normalise_nfc(plain);
        plain = normalised;
      }
      if (parts.added_normalised.empty()) {
        encode_plain(plain, after_token, scratch, out);
        after_token = false;
        continue;
      }
      scratch.normalised_parts.clear();
      parts.added_normalised.split(plain, parse_special, scratch.normalised_parts);
      for (const TextPart& piece : scratch.normalised_parts) {
        if (piece.id >= 0) {
          out.push_back(piece.id);
        } else {
          encode_plain(piece.text, after_token, scratch, out);
        }
        after_token = piece.id >= 0;
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
  bool strip_space = sentence_piece != nullptr && sentence_piece->add_space_prefix;
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

}  // namespace r1
