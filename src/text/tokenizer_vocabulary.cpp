// Tokenizer::from_vocabulary: from lists as GGUF files carry them (the GGUF specification's
// `tokenizer.ggml.*` keys). What the lists do not say (NFC, ignore_merges) follows the published
// tokenizer.json that goes with each pre-tokeniser's name.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <unordered_set>

#include "base/error.h"
#include "text/tokenizer.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace r1 {
namespace {

constexpr size_t max_vocabulary = size_t{1} << 24;
constexpr std::string_view space_mark = "\xe2\x96\x81";  // U+2581

TokenKind kind_of_type(int32_t type, size_t id) {
  // 0 is llama.cpp's "undefined", which it treats as an ordinary piece.
  constexpr std::array kinds = {TokenKind::normal, TokenKind::normal, TokenKind::unknown, TokenKind::control,
                                TokenKind::added,  TokenKind::unused, TokenKind::byte};
  if (type < 0 || type >= static_cast<int32_t>(kinds.size())) {
    throw_error(ErrorKind::bad_file, "tokenizer: token {} has type {}, expected 0 to {}", id, type,
                kinds.size() - 1);
  }
  return kinds[static_cast<size_t>(type)];
}

std::string replace_space_marks(std::string_view piece) {
  std::string out;
  while (!piece.empty()) {
    const size_t at = piece.find(space_mark);
    out += piece.substr(0, at);
    if (at == std::string_view::npos) {
      break;
    }
    out += ' ';
    piece.remove_prefix(at + space_mark.size());
  }
  return out;
}

/// The byte of "<0xXX>", or -1.
int byte_of_piece(std::string_view piece) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>' || digit(piece[3]) < 0 ||
      digit(piece[4]) < 0) {
    return -1;
  }
  return digit(piece[3]) * 16 + digit(piece[4]);
}

void check_list(std::string_view name, size_t found, size_t expected) {
  if (found != expected) {
    throw_error(ErrorKind::bad_file, "tokenizer: {} {}, expected {} (one a piece)", found, name, expected);
  }
}

std::optional<int32_t> checked_id(std::string_view name, std::optional<int32_t> id,
                                  const TokenTable& vocabulary) {
  if (id && !vocabulary.contains(*id)) {
    throw_error(ErrorKind::bad_file, "tokenizer: {} id {}, expected 0 to {}", name, *id,
                vocabulary.size() - 1);
  }
  return id;
}

TokenTable read_pieces(const VocabularyData& data, bool byte_level) {
  if (data.pieces.empty() || data.pieces.size() > max_vocabulary) {
    throw_error(ErrorKind::bad_file, "tokenizer: {} pieces, expected 1 to {}", data.pieces.size(),
                max_vocabulary);
  }
  if (!data.types.empty()) {
    check_list("token types", data.types.size(), data.pieces.size());
  }
  TokenTable vocabulary(data.pieces.size());
  for (size_t i = 0; i < data.pieces.size(); ++i) {
    const std::string_view piece = data.pieces[i];
    TokenKind kind = data.types.empty() ? TokenKind::normal : kind_of_type(data.types[i], i);
    if (is_end_name(piece)) {
      kind = TokenKind::control;
    }
    if (!is_valid_utf8(piece)) {
      throw_error(ErrorKind::bad_file, "tokenizer: piece {} is not valid UTF-8", i);
    }
    std::string bytes = byte_level ? std::string(piece) : sentence_piece_bytes(piece, kind, i);
    if (byte_level && kind == TokenKind::normal) {
      bytes = byte_level_to_bytes(piece).value_or(bytes);
    } else if (kind == TokenKind::unused) {
      bytes.clear();  // padding is no text
    }
    vocabulary.set(static_cast<int64_t>(i), piece, bytes, kind);
  }
  return vocabulary;
}

AddedTokenMatcher read_added(const TokenTable& vocabulary, bool byte_level) {
  std::vector<AddedToken> added;
  std::unordered_set<std::string> contents;
  for (int32_t id = vocabulary.size() - 1; id >= 0; --id) {  // of a token given twice the last counts
    const TokenEntry& entry = vocabulary[id];
    const bool special = entry.kind == TokenKind::control || entry.kind == TokenKind::unknown;
    if ((special || entry.kind == TokenKind::added) && !entry.text.empty()) {
      AddedToken token;
      token.content = std::string(special || byte_level ? entry.text : entry.bytes);
      token.id = id;
      token.special = special;
      if (contents.insert(token.content).second) {
        added.push_back(std::move(token));
      }
    }
  }
  return AddedTokenMatcher(std::move(added));
}

WrittenMerges read_merges(const VocabularyData& data) {
  WrittenMerges merges;
  merges.reserve(data.merges.size());
  for (const std::string_view merge : data.merges) {
    const size_t space = merge.find(' ');
    if (space == std::string_view::npos || merge.find(' ', space + 1) != std::string_view::npos) {
      throw_error(ErrorKind::bad_file, "tokenizer: merge {} is \"{}\", expected two pieces and one space",
                  merges.size(), merge);
    }
    merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  return merges;
}

SpacePrefix prefix_from_name(const VocabularyData& data) {
  constexpr std::pair<std::string_view, SpacePrefix> names[] = {
      {"never", SpacePrefix::never},
      {"always", SpacePrefix::always},
      {"always_unless_space", SpacePrefix::always_unless_space},
      {"first_unless_space", SpacePrefix::first_unless_space}};
  if (data.space_prefix.empty()) {
    return data.add_space_prefix.value_or(true) ? SpacePrefix::always : SpacePrefix::never;
  }
  for (const auto& [name, prefix] : names) {
    if (name == data.space_prefix) {
      return prefix;
    }
  }
  throw_error(ErrorKind::unsupported,
              "tokenizer: space prefix \"{}\" is not known, expected never, always, "
              "always_unless_space or first_unless_space",
              data.space_prefix);
}

void remark(const VocabularyData& data, const std::string& text) {
  if (data.remark) {
    data.remark(text);
  }
}

}  // namespace

bool is_end_name(std::string_view content) {
  constexpr std::string_view names[] = {
      "<｜end▁of▁sentence｜>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>",    "<|eom_id|>",
      "<|end_of_text|>",       "<|EOT|>",    "<|end|>",       "<end_of_turn>",
  };
  return std::ranges::find(names, content) != std::end(names);
}

std::string sentence_piece_bytes(std::string_view piece, TokenKind kind, size_t id) {
  if (kind == TokenKind::byte) {
    const int byte = byte_of_piece(piece);
    if (byte < 0) {
      throw_error(ErrorKind::bad_file, "tokenizer: byte token {} is \"{}\", expected <0x00> to <0xFF>", id,
                  piece);
    }
    return std::string(1, static_cast<char>(byte));
  }
  return kind == TokenKind::control ? std::string(piece) : replace_space_marks(piece);
}

SentencePieceModel make_sentence_piece_model(const TokenTable& vocabulary, std::vector<float> scores,
                                             std::vector<BytePairEncoder::Merge> merges,
                                             std::optional<int32_t> unknown, SpacePrefix prefix,
                                             const VocabularyRules& rules) {
  StringTable pieces;
  std::array<int32_t, 256> byte_ids{};
  byte_ids.fill(-1);
  size_t longest = 0;
  for (int32_t i = 0; i < vocabulary.size(); ++i) {
    const int32_t id = rules.gguf ? vocabulary.size() - 1 - i : i;  // the last of equal pieces counts
    const TokenEntry& entry = vocabulary[id];
    if (entry.kind == TokenKind::byte) {
      byte_ids[static_cast<unsigned char>(entry.bytes[0])] = id;
    } else if (entry.kind == TokenKind::unknown && !unknown) {
      unknown = id;
    } else if (entry.kind == TokenKind::normal && !entry.text.empty()) {
      pieces.insert(entry.text, id);
      longest = std::max(longest, entry.text.size());
    }
  }
  SentencePieceEncoder encoder(std::move(pieces), scores, byte_ids, unknown.value_or(-1), longest, merges);
  return {std::move(encoder), prefix, std::move(merges), std::move(scores)};
}

std::vector<BytePairEncoder::Merge> merges_by_id(const TokenTable& vocabulary, const WrittenMerges& merges,
                                                 const VocabularyRules& rules, int64_t* skipped) {
  StringTable by_text;
  by_text.reserve(static_cast<size_t>(vocabulary.size()));
  for (int32_t i = 0; i < vocabulary.size(); ++i) {
    const int32_t id = rules.gguf ? vocabulary.size() - 1 - i : i;
    const TokenEntry& entry = vocabulary[id];
    if (entry.kind != TokenKind::absent && entry.kind != TokenKind::unused && !entry.text.empty()) {
      by_text.insert(entry.text, id);
    }
  }
  std::vector<BytePairEncoder::Merge> by_id;
  by_id.reserve(merges.size());
  std::unordered_set<uint64_t> seen;
  std::string both;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    both.assign(left).append(right);
    const BytePairEncoder::Merge merge{by_text.find(left), by_text.find(right), by_text.find(both)};
    // An empty part would make a merge that goes round in circles; no empty piece is found.
    if (merge.left < 0 || merge.right < 0 || merge.merged < 0) {
      if (!rules.gguf) {
        throw_error(ErrorKind::bad_file, "tokenizer: merge {} (\"{}\" + \"{}\"): \"{}\" is no token", rank,
                    left, right,
                    merge.left < 0    ? left
                    : merge.right < 0 ? right
                                      : std::string_view(both));
      }
      if (skipped != nullptr) {
        ++*skipped;
      }
      continue;
    }
    const uint64_t pair =
        uint64_t{static_cast<uint32_t>(merge.left)} << 32 | static_cast<uint32_t>(merge.right);
    if (rules.gguf && !seen.insert(pair).second) {
      continue;
    }
    by_id.push_back(merge);
  }
  return by_id;
}

BytePairEncoder make_byte_pair_encoder(const TokenTable& vocabulary, const WrittenMerges& merges,
                                       const BytePairEncoder::Options& options, const VocabularyRules& rules,
                                       int64_t* skipped) {
  StringTable by_bytes;  // whole words for ignore_merges, else single bytes
  by_bytes.reserve(options.ignore_merges ? static_cast<size_t>(vocabulary.size()) : 256);
  for (int32_t i = 0; i < vocabulary.size(); ++i) {
    const int32_t id = rules.gguf ? vocabulary.size() - 1 - i : i;
    const TokenEntry& entry = vocabulary[id];
    const bool made_from_text = entry.kind == TokenKind::normal || entry.kind == TokenKind::added;
    if (made_from_text && !entry.bytes.empty() && (options.ignore_merges || entry.bytes.size() == 1)) {
      by_bytes.insert(entry.bytes, id);
    }
  }
  return BytePairEncoder(vocabulary, std::move(by_bytes), merges_by_id(vocabulary, merges, rules, skipped),
                         options);
}

Tokenizer Tokenizer::from_vocabulary(const VocabularyData& data) {
  const bool byte_level = data.model == "gpt2";
  if (!byte_level && data.model != "llama") {
    throw_error(ErrorKind::unsupported, "tokenizer: model \"{}\" is not known, expected gpt2 or llama",
                data.model);
  }
  TokenTable vocabulary = read_pieces(data, byte_level);
  const auto bos = checked_id("bos", data.bos, vocabulary);
  const auto eos = checked_id("eos", data.eos, vocabulary);
  checked_id("unknown", data.unknown, vocabulary);
  constexpr VocabularyRules rules{.gguf = true};
  int64_t skipped = 0;
  bool nfc = false;
  bool default_bos = true;
  const auto make_model = [&]() -> std::variant<ByteLevelModel, SentencePieceModel> {
    const WrittenMerges merges = read_merges(data);
    if (byte_level) {
      const NamedPreTokenizer& named = find_pre_tokenizer(data.pre);
      nfc = named.nfc;
      default_bos = named.adds_bos;
      BytePairEncoder::Options options;
      options.ignore_merges = named.ignore_merges;
      options.unknown_id = data.unknown.value_or(-1);
      return ByteLevelModel{named.make(),
                            make_byte_pair_encoder(vocabulary, merges, options, rules, &skipped)};
    }
    check_list("scores", data.scores.size(), data.pieces.size());
    const auto no_number = std::ranges::find_if(data.scores, [](float score) { return std::isnan(score); });
    if (no_number != data.scores.end()) {
      throw_error(ErrorKind::bad_file, "tokenizer: the score of token {} is not a number",
                  no_number - data.scores.begin());
    }
    return make_sentence_piece_model(vocabulary, data.scores,
                                     merges_by_id(vocabulary, merges, rules, &skipped), data.unknown,
                                     prefix_from_name(data), rules);
  };
  std::variant<ByteLevelModel, SentencePieceModel> model = make_model();
  if (skipped > 0) {
    remark(data, fmt::format("tokenizer: {} of {} merges are of pieces that are no tokens: they never match",
                             skipped, data.merges.size()));
  }
  AddedTokenMatcher added = read_added(vocabulary, byte_level);
  bool add_bos = data.add_bos.value_or(default_bos && bos.has_value());
  bool add_eos = data.add_eos.value_or(false);
  for (const auto& [add, id, name] : {std::tuple(&add_bos, bos, "bos"), std::tuple(&add_eos, eos, "eos")}) {
    if (*add && !id) {
      remark(data, fmt::format("tokenizer: add_{} is set, but there is no {} id: none is added", name, name));
      *add = false;
    }
  }
  return Tokenizer(TokenizerParts{std::move(vocabulary), std::move(model), std::move(added),
                                  AddedTokenMatcher(), nfc, bos, eos, add_bos, add_eos});
}

}  // namespace r1
