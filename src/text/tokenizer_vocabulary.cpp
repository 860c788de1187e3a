// Tokenizer::from_vocabulary: from lists as GGUF files carry them (the GGUF specification's
// `tokenizer.ggml.*` keys). What the lists do not say (NFC, ignore_merges) follows the published
// tokenizer.json that goes with each pre-tokeniser's name.
#include <array>
#include <cmath>

#include "base/error.h"
#include "text/tokenizer.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace r1 {
namespace {

constexpr size_t max_vocabulary = size_t{1} << 24;
constexpr std::string_view space_mark = "\xe2\x96\x81";  // U+2581

TokenKind kind_of_type(int32_t type, size_t id) {
  constexpr std::array kinds = {TokenKind::normal, TokenKind::unknown, TokenKind::control,
                                TokenKind::added,  TokenKind::unused,  TokenKind::byte};
  if (type < 1 || type > static_cast<int32_t>(kinds.size())) {
    throw_error(ErrorKind::bad_file, "tokenizer: token {} has type {}, expected 1 to {}", id, type,
                kinds.size());
  }
  return kinds[static_cast<size_t>(type - 1)];
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
    const TokenKind kind = data.types.empty() ? TokenKind::normal : kind_of_type(data.types[i], i);
    if (!is_valid_utf8(piece)) {
      throw_error(ErrorKind::bad_file, "tokenizer: piece {} is not valid UTF-8", i);
    }
    std::string bytes(piece);
    if (byte_level && kind == TokenKind::normal) {
      bytes = byte_level_to_bytes(piece).value_or(bytes);
    } else if (!byte_level && kind == TokenKind::byte) {
      const int byte = byte_of_piece(piece);
      if (byte < 0) {
        throw_error(ErrorKind::bad_file, "tokenizer: byte token {} is \"{}\", expected <0x00> to <0xFF>", i,
                    piece);
      }
      bytes = static_cast<char>(byte);
    } else if (!byte_level && kind != TokenKind::control) {
      bytes = replace_space_marks(piece);
    }
    vocabulary.set(static_cast<int64_t>(i), piece, bytes, kind);
  }
  return vocabulary;
}

AddedTokenMatcher read_added(const TokenTable& vocabulary, bool byte_level) {
  std::vector<AddedToken> added;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const TokenEntry& entry = vocabulary[id];
    const bool special = entry.kind == TokenKind::control || entry.kind == TokenKind::unknown;
    if ((special || entry.kind == TokenKind::added) && !entry.text.empty()) {
      AddedToken token;
      token.content = std::string(special || byte_level ? entry.text : entry.bytes);
      token.id = id;
      token.special = special;
      added.push_back(std::move(token));
    }
  }
  return AddedTokenMatcher(std::move(added));
}

ByteLevelModel read_byte_level(const VocabularyData& data, const TokenTable& vocabulary) {
  PreTokenizer pre_tokenizer = PreTokenizer::from_gguf_name(data.pre);
  BytePairEncoder::Options options;
  options.ignore_merges = pre_tokenizer.is_llama3();
  std::vector<std::pair<std::string_view, std::string_view>> merges;
  merges.reserve(data.merges.size());
  for (const std::string_view merge : data.merges) {
    const size_t space = merge.find(' ');
    if (space == std::string_view::npos || merge.find(' ', space + 1) != std::string_view::npos) {
      throw_error(ErrorKind::bad_file, "tokenizer: merge {} is \"{}\", expected two pieces and one space",
                  merges.size(), merge);
    }
    merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  return {std::move(pre_tokenizer), make_byte_pair_encoder(vocabulary, merges, options)};
}

SentencePieceModel read_sentence_piece(const VocabularyData& data, const TokenTable& vocabulary) {
  check_list("scores", data.scores.size(), data.pieces.size());
  StringTable pieces;
  std::array<int32_t, 256> byte_ids{};
  byte_ids.fill(-1);
  size_t longest = 0;
  int32_t unknown = data.unknown.value_or(-1);
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const TokenEntry& entry = vocabulary[id];
    if (std::isnan(data.scores[static_cast<size_t>(id)])) {
      throw_error(ErrorKind::bad_file, "tokenizer: the score of token {} is not a number", id);
    }
    if (entry.kind == TokenKind::byte) {
      byte_ids[static_cast<unsigned char>(entry.bytes[0])] = id;
    } else if (entry.kind == TokenKind::unknown && unknown < 0) {
      unknown = id;
    } else if (entry.kind == TokenKind::normal && !entry.text.empty()) {
      if (!pieces.insert(entry.text, id)) {
        throw_error(ErrorKind::bad_file, "tokenizer: piece \"{}\" is given twice, as {} and {}", entry.text,
                    pieces.find(entry.text), id);
      }
      longest = std::max(longest, entry.text.size());
    }
  }
  return {SentencePieceEncoder(std::move(pieces), data.scores, byte_ids, unknown, longest),
          data.add_space_prefix.value_or(true)};
}

}  // namespace

BytePairEncoder make_byte_pair_encoder(
    const TokenTable& vocabulary, const std::vector<std::pair<std::string_view, std::string_view>>& merges,
    const BytePairEncoder::Options& options) {
  StringTable by_text;
  StringTable by_bytes;  // whole words for ignore_merges, else single bytes
  by_text.reserve(static_cast<size_t>(vocabulary.size()));
  by_bytes.reserve(options.ignore_merges ? static_cast<size_t>(vocabulary.size()) : 256);
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const TokenEntry& entry = vocabulary[id];
    if (entry.kind == TokenKind::absent || entry.text.empty()) {
      continue;
    }
    if (!by_text.insert(entry.text, id) && entry.kind == TokenKind::normal &&
        vocabulary[by_text.find(entry.text)].kind == TokenKind::normal) {
      throw_error(ErrorKind::bad_file, "tokenizer: piece \"{}\" is given twice, as {} and {}", entry.text,
                  by_text.find(entry.text), id);
    }
    const bool made_from_text = entry.kind == TokenKind::normal || entry.kind == TokenKind::added;
    if (made_from_text && (options.ignore_merges || entry.bytes.size() == 1)) {
      by_bytes.insert(entry.bytes, id);
    }
  }
  std::vector<BytePairEncoder::Merge> by_id;
  by_id.reserve(merges.size());
  std::string both;
  for (const auto& [left, right] : merges) {
    const auto find = [&, &left_piece = left, &right_piece = right](std::string_view piece) {
      const int32_t id = by_text.find(piece);
      if (id < 0) {  // an empty part would make a merge that goes round in circles; no empty piece is found
        throw_error(ErrorKind::bad_file, "tokenizer: merge {} (\"{}\" + \"{}\"): \"{}\" is no token",
                    by_id.size(), left_piece, right_piece, piece);
      }
      return id;
    };
    both.assign(left).append(right);
    by_id.push_back({find(left), find(right), find(both)});
  }
  return BytePairEncoder(vocabulary, std::move(by_bytes), by_id, options);
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
  const auto make_model = [&]() -> std::variant<ByteLevelModel, SentencePieceModel> {
    if (byte_level) {
      return read_byte_level(data, vocabulary);
    }
    return read_sentence_piece(data, vocabulary);
  };
  std::variant<ByteLevelModel, SentencePieceModel> model = make_model();
  const auto* bytes = std::get_if<ByteLevelModel>(&model);
  const bool nfc = bytes != nullptr && bytes->pre_tokenizer.is_qwen2();
  const bool default_bos = bytes == nullptr || bytes->pre_tokenizer.is_llama3();
  AddedTokenMatcher added = read_added(vocabulary, byte_level);
  const bool add_bos = data.add_bos.value_or(default_bos && bos.has_value());
  const bool add_eos = data.add_eos.value_or(false);
  if ((add_bos && !bos) || (add_eos && !eos)) {
    throw_error(ErrorKind::bad_file, "tokenizer: add_{} is set, expected a {} id, found none",
                add_bos && !bos ? "bos" : "eos", add_bos && !bos ? "bos" : "eos");
  }
  return Tokenizer(TokenizerParts{std::move(vocabulary), std::move(model), std::move(added),
                                  AddedTokenMatcher(), nfc, bos, eos, add_bos, add_eos});
}

}  // namespace r1
