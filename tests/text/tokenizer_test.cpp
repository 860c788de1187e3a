// Small vocabularies made here, so that these tests run everywhere.
#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "text/incremental_decoder.h"
#include "text/token_table.h"

namespace r1 {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;

/// A byte-level tokenizer: ids 0 to 255 are the bytes, then one token a merge, then the added tokens.
json tiny_hub(const std::vector<std::pair<std::string, std::string>>& merges) {
  json vocab;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    vocab[bytes_to_byte_level({&c, 1})] = byte;
  }
  json list = json::array();
  int id = 256;
  for (const auto& [left, right] : merges) {
    const std::string both = bytes_to_byte_level(left) + bytes_to_byte_level(right);
    list.push_back(bytes_to_byte_level(left) + " " + bytes_to_byte_level(right));
    if (!vocab.contains(both)) {
      vocab[both] = id++;
    }
  }
  return {{"version", "1.0"},
          {"added_tokens", json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", list}}}};
}

const std::vector<std::pair<std::string, std::string>> english = {
    {"h", "e"}, {"l", "l"}, {"ll", "o"}, {" ", "w"}, {"he", "llo"}, {"a", "a"}, {"aa", "a"}};
enum : int32_t { he = 256, ll, llo, space_w, hello, aa, aaa };

json added(int id, const std::string& content, bool special, const std::string& flag = "") {
  json token = {{"id", id},        {"content", content}, {"special", special},  {"normalized", false},
                {"lstrip", false}, {"rstrip", false},    {"single_word", false}};
  if (!flag.empty()) {
    token[flag] = true;
  }
  return token;
}

Tokenizer load(const json& hub) {
  return Tokenizer::from_hub(hub.dump());
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "no error";
}

TEST(Tokenizer, merges_by_rank_and_leftmost_first) {
  const Tokenizer tokenizer = load(tiny_hub(english));
  EXPECT_EQ(tokenizer.encode("hello", true), (Ids{hello}));
  EXPECT_EQ(tokenizer.encode("hello hell", true), (Ids{hello, ' ', he, ll}));
  EXPECT_EQ(tokenizer.encode("aaaaa", true), (Ids{aa, aaa}));
  EXPECT_EQ(tokenizer.encode("", true), Ids{});
  EXPECT_EQ(tokenizer.token_bytes(space_w), " w");
  EXPECT_EQ(tokenizer.token_text(space_w), "\xc4\xa0w");
  EXPECT_EQ(tokenizer.size(), 263);
}

TEST(Tokenizer, long_words_merge_as_short_ones) {
  const Tokenizer tokenizer = load(tiny_hub(english));
  Ids expected;
  std::string text;
  for (int i = 0; i < 300; ++i) {  // long enough for the heap
    text += "helloaaaaa";
    expected.insert(expected.end(), {hello, aa, aaa});
  }
  EXPECT_EQ(tokenizer.encode(text, true), expected);
}

TEST(Tokenizer, parts_of_words_merge_as_whole_words) {
  // Merges inside and over the borders of characters, also from half a character.
  const std::vector<std::pair<std::string, std::string>> merges = {{"\xe4", "\xbd"},
                                                                   {"\xe4\xbd", "\xa0"},
                                                                   {"\xa0", "\xe5"},
                                                                   {"\xe5", "\xa5"},
                                                                   {"\xe5\xa5", "\xbd"},
                                                                   {"\xbd", "x"},
                                                                   {"\xe4\xbd\xa0", "\xe5\xa5\xbd"}};
  const Tokenizer tokenizer = load(tiny_hub(merges));
  const std::vector<std::string> characters = {"\xe4\xbd\xa0", "\xe5\xa5\xbd", "\xe5\xa5\xa0", "x",
                                               "\xe4\xbd\xbd"};
  // The plain algorithm: over and over, the lowest merge present, leftmost first.
  const auto plain = [&](const std::string& word) {
    std::vector<std::string> parts;
    for (const char c : word) {
      parts.emplace_back(1, c);
    }
    for (size_t rank = 0; rank < merges.size();) {
      bool merged = false;
      for (size_t i = 0; i + 1 < parts.size() && !merged; ++i) {
        if (parts[i] == merges[rank].first && parts[i + 1] == merges[rank].second) {
          parts[i] += parts[i + 1];
          parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
          merged = true;
        }
      }
      rank = merged ? 0 : rank + 1;
    }
    return parts;
  };
  for (uint64_t i = 0; i < 3000; ++i) {
    std::string word;
    for (uint64_t k = 0; k < 1 + i % 9; ++k) {
      word += characters[random_bits(i, k) % characters.size()];
    }
    std::vector<std::string> found;
    for (const int32_t id : tokenizer.encode(word, true)) {
      found.emplace_back(tokenizer.token_bytes(id));
    }
    ASSERT_EQ(found, plain(word));
  }
}

TEST(Tokenizer, ignore_merges_takes_whole_words) {
  json hub = tiny_hub({{"a", "b"}});
  hub["model"]["vocab"]["xyz"] = 257;
  EXPECT_EQ(load(hub).encode("xyz", true), (Ids{'x', 'y', 'z'}));
  hub["model"]["ignore_merges"] = true;
  EXPECT_EQ(load(hub).encode("xyz", true), (Ids{257}));
}

TEST(Tokenizer, added_tokens_in_text) {
  json hub = tiny_hub(english);
  hub["added_tokens"] = {added(263, "<s>", true), added(264, "<think>", false), added(265, "<s><s>", true)};
  const Tokenizer tokenizer = load(hub);
  EXPECT_EQ(tokenizer.encode("a<s>a", true), (Ids{'a', 263, 'a'}));
  EXPECT_EQ(tokenizer.encode("a<s>", false), (Ids{'a', '<', 's', '>'}));
  EXPECT_EQ(tokenizer.encode("<think>a", false), (Ids{264, 'a'}));
  EXPECT_EQ(tokenizer.encode("<s><s><s>", true), (Ids{265, 263}));  // the longest first
  EXPECT_EQ(tokenizer.find_special("<think>"), 264);
  EXPECT_EQ(tokenizer.find_special("<nope>"), std::nullopt);
  EXPECT_EQ(tokenizer.decode(Ids{263, 'a', 264}, true), "a<think>");
  EXPECT_EQ(tokenizer.decode(Ids{263, 'a', 264}, false), "<s>a<think>");
}

TEST(Tokenizer, added_token_flags) {
  json hub = tiny_hub(english);
  hub["added_tokens"] = {added(263, "<l>", false, "lstrip"), added(264, "<r>", false, "rstrip"),
                         added(265, "word", false, "single_word"), added(266, "<n>", false, "normalized")};
  const Tokenizer tokenizer = load(hub);
  EXPECT_EQ(tokenizer.encode("a \n<l> a", true), (Ids{'a', 263, ' ', 'a'}));
  EXPECT_EQ(tokenizer.encode("a <r> \n a", true), (Ids{'a', ' ', 264, 'a'}));
  EXPECT_EQ(tokenizer.encode("(word)", true), (Ids{'(', 265, ')'}));
  EXPECT_EQ(tokenizer.encode("word", true), (Ids{265}));
  EXPECT_EQ(tokenizer.encode("words", true), (Ids{'w', 'o', 'r', 'd', 's'}));
  EXPECT_EQ(tokenizer.encode("a<n>", true), (Ids{'a', 266}));
}

TEST(Tokenizer, invalid_utf8_is_read_as_replacement_characters) {
  const Tokenizer tokenizer = load(tiny_hub(english));
  EXPECT_EQ(tokenizer.encode("a\xff", true), (Ids{'a', 0xef, 0xbf, 0xbd}));
  EXPECT_EQ(tokenizer.decode(Ids{0xe4, 0xbd, 'a'}, true), "\xef\xbf\xbd\x61");
}

TEST(Tokenizer, nfc_only_where_the_file_says_so) {
  json hub = tiny_hub(english);
  EXPECT_EQ(load(hub).encode("e\xcc\x81", true), (Ids{'e', 0xcc, 0x81}));
  hub["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}};
  EXPECT_EQ(load(hub).encode("e\xcc\x81", true), (Ids{0xc3, 0xa9}));
}

TEST(Tokenizer, sentence_ends_come_from_config_or_template) {
  json hub = tiny_hub(english);
  hub["added_tokens"] = {added(263, "<s>", true), added(264, "</s>", true)};
  EXPECT_EQ(load(hub).bos(), std::nullopt);
  EXPECT_FALSE(load(hub).add_bos());
  const Tokenizer configured = Tokenizer::from_hub(
      hub.dump(),
      R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "add_bos_token": true, "model_max_length": 1000000000000000019884624838656})");
  EXPECT_EQ(configured.bos(), 263);
  EXPECT_EQ(configured.eos(), 264);
  EXPECT_TRUE(configured.add_bos());
  hub["post_processor"] = {{"type", "TemplateProcessing"},
                           {"single", {{{"SpecialToken", {{"id", "<s>"}}}}, {{"Sequence", {{"id", "A"}}}}}}};
  EXPECT_EQ(load(hub).bos(), 263);
  EXPECT_TRUE(load(hub).add_bos());
}

TEST(Tokenizer, refuses_bad_hub_files_by_name) {
  const auto with = [](const std::function<void(json&)>& change) {
    json hub = tiny_hub(english);
    change(hub);
    return error_of([&] { load(hub); });
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(error_of([] { Tokenizer::from_hub("{"); }), HasSubstr("not JSON"));
  EXPECT_THAT(error_of([] { Tokenizer::from_hub("[]"); }), HasSubstr("expected an object"));
  EXPECT_THAT(error_of([] { Tokenizer::from_hub("{}"); }), HasSubstr("\"model\""));
  EXPECT_THAT(with([](json& h) { h["model"]["type"] = "Unigram"; }), HasSubstr("\"Unigram\""));
  EXPECT_THAT(with([](json& h) { h["normalizer"] = {{"type", "Lowercase"}}; }), HasSubstr("\"Lowercase\""));
  EXPECT_THAT(with([](json& h) {
                h["pre_tokenizer"] = {{"type", "Metaspace"}};
              }),
              HasSubstr("\"Metaspace\""));
  EXPECT_THAT(with([](json& h) { h["pre_tokenizer"] = nullptr; }), HasSubstr("ByteLevel"));
  EXPECT_THAT(with([](json& h) { h["decoder"] = {{"type", "WordPiece"}}; }), HasSubstr("\"WordPiece\""));
  EXPECT_THAT(with([](json& h) {
                h["post_processor"] = {{"type", "BertProcessing"}};
              }),
              HasSubstr("BertProcessing"));
  EXPECT_THAT(with([](json& h) { h["model"]["merges"].push_back("h zz"); }), HasSubstr("\"zz\" is no token"));
  EXPECT_THAT(with([](json& h) { h["model"]["merges"].push_back("h "); }), HasSubstr("is no token"));
  EXPECT_THAT(with([](json& h) { h["model"]["merges"].push_back("hello"); }), HasSubstr("left right"));
  EXPECT_THAT(with([](json& h) { h["model"]["vocab"]["zz"] = 3; }), HasSubstr("id 3 is given to"));
  EXPECT_THAT(with([](json& h) { h["model"]["vocab"]["zz"] = -3; }), HasSubstr("\"zz\""));
  EXPECT_THAT(with([](json& h) { h["model"]["vocab"]["zz"] = 4000000000u; }),
              HasSubstr("highest id 4000000000"));
  EXPECT_THAT(with([](json& h) { h["model"]["vocab"]["zz"] = "7"; }), HasSubstr("\"zz\""));
  EXPECT_THAT(with([](json& h) { h["model"]["byte_fallback"] = true; }), HasSubstr("byte_fallback"));
  EXPECT_THAT(with([](json& h) { h["model"]["continuing_subword_prefix"] = "##"; }), HasSubstr("##"));
  EXPECT_THAT(with([](json& h) { h["added_tokens"] = json::array({added(3, "<s>", true)}); }),
              HasSubstr("id 3 is given to"));
  EXPECT_THAT(with([](json& h) { h["added_tokens"] = json::array({added(263, "", true)}); }),
              HasSubstr("empty"));
  EXPECT_THAT(with([](json& h) {
                h["added_tokens"] = {added(263, "q", true), added(264, "q", true)};
              }),
              HasSubstr("twice"));
  EXPECT_THAT(error_of([] { Tokenizer::from_hub(tiny_hub(english).dump(), R"({"bos_token": "<b>"})"); }),
              HasSubstr("\"<b>\" is no token"));
}

TEST(Tokenizer, a_byte_without_a_token_is_an_error_unless_there_is_an_unknown_token) {
  json hub = tiny_hub({});
  hub["model"]["vocab"].erase("z");
  EXPECT_THAT(error_of([&] { load(hub).encode("az", true); }), ::testing::HasSubstr("byte 0x7A"));
  hub["model"]["unk_token"] = "?";
  EXPECT_EQ(load(hub).encode("azz", true), (Ids{'a', '?', '?'}));
  hub["model"]["fuse_unk"] = true;
  EXPECT_EQ(load(hub).encode("azz", true), (Ids{'a', '?'}));
}

TEST(Tokenizer, ids_out_of_range_are_refused) {
  const Tokenizer tokenizer = load(tiny_hub(english));
  EXPECT_THROW(tokenizer.token_bytes(-1), Error);
  EXPECT_THROW(tokenizer.token_text(tokenizer.size()), Error);
  EXPECT_THROW(tokenizer.decode(Ids{1 << 30}, true), Error);
}

TEST(TokenizerFromLists, byte_level_gives_the_ids_of_the_hub_file) {
  const json hub = tiny_hub(english);
  std::vector<std::string> pieces(265);
  for (const auto& [piece, id] : hub["model"]["vocab"].items()) {
    pieces[id.get<size_t>()] = piece;
  }
  pieces[263] = "<s>";
  pieces[264] = "<think>";
  std::vector<std::string> merges = hub["model"]["merges"];
  VocabularyData data;
  data.model = "gpt2";
  data.pre = "qwen2";
  data.pieces.assign(pieces.begin(), pieces.end());
  data.types.assign(265, 1);
  data.types[263] = 3;
  data.types[264] = 4;
  data.merges.assign(merges.begin(), merges.end());
  data.bos = 263;
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(data);
  EXPECT_EQ(tokenizer.encode("<s>hello<think>12", true), (Ids{263, hello, 264, '1', '2'}));
  EXPECT_EQ(tokenizer.encode("<s><think>", false), (Ids{'<', 's', '>', 264}));
  EXPECT_FALSE(tokenizer.add_bos());
  EXPECT_TRUE(tokenizer.is_special(263));

  using ::testing::HasSubstr;
  const auto with = [&](const std::function<void(VocabularyData&)>& change) {
    VocabularyData bad = data;
    change(bad);
    return error_of([&] { Tokenizer::from_vocabulary(bad); });
  };
  EXPECT_THAT(with([](auto& d) { d.model = "t5"; }), HasSubstr("\"t5\""));
  EXPECT_THAT(with([](auto& d) { d.pre = "mystery"; }), HasSubstr("\"mystery\""));
  EXPECT_THAT(with([](auto& d) { d.types.pop_back(); }), HasSubstr("264 token types, expected 265"));
  EXPECT_THAT(with([](auto& d) { d.types[0] = 9; }), HasSubstr("type 9"));
  EXPECT_THAT(with([](auto& d) { d.eos = 265; }), HasSubstr("eos id 265"));
  EXPECT_THAT(with([](auto& d) { d.merges.push_back("h  e"); }), HasSubstr("one space"));
  EXPECT_THAT(with([](auto& d) { d.pieces.clear(); }), HasSubstr("0 pieces"));

  // What llama.cpp takes is taken, with a word where something is left out.
  std::vector<std::string> remarks;
  data.remark = [&](const std::string& text) { remarks.push_back(text); };
  data.types[0] = 0;
  data.bos.reset();
  data.add_bos = true;
  data.merges.insert(data.merges.end(), {" h", "h zz", "a a", "h e"});
  const Tokenizer lenient = Tokenizer::from_vocabulary(data);
  EXPECT_EQ(lenient.encode("hello aaaaa", true), tokenizer.encode("hello aaaaa", true));
  EXPECT_FALSE(lenient.add_bos());
  ASSERT_EQ(remarks.size(), 2U);
  EXPECT_THAT(remarks[0], HasSubstr("2 of 11 merges"));
  EXPECT_THAT(remarks[1], HasSubstr("add_bos is set"));
  data.pieces[263] = data.pieces[264] = "<think>";  // of a token given twice the last one is made
  EXPECT_EQ(Tokenizer::from_vocabulary(data).encode("<think>", true), (Ids{264}));
}

TEST(Tokenizer, the_last_of_equal_merges_counts_in_hub_files) {
  json hub = tiny_hub({{"a", "b"}, {"b", "c"}});
  EXPECT_EQ(load(hub).encode("abc", true), (Ids{256, 'c'}));
  hub["model"]["merges"].push_back("a b");
  EXPECT_EQ(load(hub).encode("abc", true), (Ids{'a', 257}));
}

TEST(Tokenizer, optional_members_may_be_absent_null_or_none) {
  json hub = tiny_hub(english);
  hub["model"].erase("type");
  hub["model"]["dropout"] = 0.0;
  hub["model"]["unk_token"] = nullptr;
  hub["normalizer"] = nullptr;
  EXPECT_EQ(load(hub).encode("hello", true), (Ids{hello}));
  const Tokenizer padded = Tokenizer::from_hub(hub.dump(), R"({"pad_token": "[PAD]", "unk_token": "[UNK]"})");
  EXPECT_EQ(padded.encode("hello", true), (Ids{hello}));
  hub["model"]["dropout"] = 0.1;
  EXPECT_THAT(error_of([&] { load(hub); }), ::testing::HasSubstr("0.1 is not supported"));
}

TEST(Tokenizer, an_end_of_text_is_special_whatever_its_file_calls_it) {
  json hub = tiny_hub(english);
  hub["model"]["vocab"]["<|im_end|>"] = 263;
  hub["added_tokens"] = {added(264, "<|endoftext|>", false), added(265, "<|other|>", false)};
  const Tokenizer tokenizer = load(hub);
  EXPECT_EQ(tokenizer.encode("a<|im_end|><|endoftext|>", true), (Ids{'a', 263, 264}));
  EXPECT_TRUE(tokenizer.is_special(263));
  EXPECT_TRUE(tokenizer.is_special(264));
  EXPECT_FALSE(tokenizer.is_special(265));
}

/// ids: 0 <unk>, 1 <s>, 2 </s>, 3 to 258 bytes, then pieces.
struct TinySentencePiece {
  std::vector<std::string> pieces = {"<unk>", "<s>", "</s>"};
  VocabularyData data;

  TinySentencePiece() {
    for (int byte = 0; byte < 256; ++byte) {
      pieces.push_back(fmt::format("<0x{:02X}>", byte));
    }
    for (const char* piece : {"\xe2\x96\x81", "a", "b",
                              "\xe2\x96\x81"
                              "a",
                              "ab",
                              "\xe2\x96\x81"
                              "ab",
                              "\xe4\xbd\xa0"}) {
      pieces.emplace_back(piece);
    }
    data.model = "llama";
    data.pieces.assign(pieces.begin(), pieces.end());
    data.scores.assign(pieces.size(), 0.0F);
    data.types.assign(pieces.size(), 1);
    data.types[0] = 2;
    data.types[1] = data.types[2] = 3;
    std::fill(data.types.begin() + 3, data.types.begin() + 259, 6);
    data.scores[262] = -2.0F;
    data.scores[263] = -1.0F;
    data.scores[264] = -3.0F;
    data.bos = 1;
    data.eos = 2;
  }
};

TEST(TokenizerFromLists, sentence_piece_joins_by_score_and_falls_back_to_bytes) {
  const TinySentencePiece tiny;
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(tiny.data);
  EXPECT_EQ(tokenizer.encode("ab", true), (Ids{264}));
  EXPECT_EQ(tokenizer.encode("a b", true), (Ids{262, 259, 261}));
  EXPECT_EQ(tokenizer.encode("\xe4\xbd\xa0\xc3\xa9", true), (Ids{259, 265, 3 + 0xc3, 3 + 0xa9}));
  EXPECT_EQ(tokenizer.encode("<s>ab</s>b", true), (Ids{1, 264, 2, 259, 261}));
  EXPECT_TRUE(tokenizer.add_bos());
  EXPECT_EQ(tokenizer.token_bytes(262), " a");
  EXPECT_EQ(tokenizer.token_bytes(3 + 0xc3), "\xc3");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a b\xc3\xa9", true), true), "a b\xc3\xa9");
  VocabularyData data = tiny.data;
  data.add_space_prefix = false;
  EXPECT_EQ(Tokenizer::from_vocabulary(data).encode("ab", true), (Ids{263}));
  data.types[5] = 1;
  data.types[6] = 6;
  data.pieces[6] = "<0xZZ>";
  EXPECT_THAT(error_of([&] { Tokenizer::from_vocabulary(data); }), ::testing::HasSubstr("<0xZZ>"));
}

const std::string mark = "\xe2\x96\x81";

/// tokenizer.json of a SentencePiece vocabulary: as Llama 2's and Mistral 7B's. `scheme`: of Metaspace, or
/// empty for the older form with a normalizer.
json sentence_piece_hub(const std::string& scheme) {
  json vocab = {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
  for (int byte = 0; byte < 256; ++byte) {
    vocab[fmt::format("<0x{:02X}>", byte)] = 3 + byte;
  }
  int id = 259;
  for (const std::string& piece : {mark, std::string("a"), std::string("b"), std::string("c"), mark + "a",
                                   std::string("ab"), std::string("bc"), mark + "ab", mark + mark}) {
    vocab[piece] = id++;
  }
  json hub = {{"added_tokens", {added(0, "<unk>", true), added(1, "<s>", true), added(2, "</s>", true)}},
              {"normalizer", nullptr},
              {"pre_tokenizer", nullptr},
              {"post_processor",
               {{"type", "TemplateProcessing"},
                {"single", {{{"SpecialToken", {{"id", "<s>"}}}}, {{"Sequence", {{"id", "A"}}}}}}}},
              {"decoder",
               {{"type", "Sequence"},
                {"decoders",
                 {{{"type", "Replace"}, {"pattern", {{"String", mark}}}, {"content", " "}},
                  {{"type", "ByteFallback"}},
                  {{"type", "Fuse"}},
                  {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
              {"model",
               {{"type", "BPE"},
                {"unk_token", "<unk>"},
                {"fuse_unk", true},
                {"byte_fallback", true},
                {"vocab", vocab},
                {"merges", {"b c", mark + " a", "a b", mark + "a b", mark + " " + mark}}}}};
  if (scheme.empty()) {
    hub["normalizer"] = {{"type", "Sequence"},
                         {"normalizers",
                          {{{"type", "Prepend"}, {"prepend", mark}},
                           {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", mark}}}}};
  } else {
    hub["pre_tokenizer"] = {
        {"type", "Metaspace"}, {"replacement", mark}, {"prepend_scheme", scheme}, {"split", false}};
  }
  return hub;
}
enum : int32_t {
  spm_space = 259,
  spm_a,
  spm_b,
  spm_c,
  spm_space_a,
  spm_ab,
  spm_bc,
  spm_space_ab,
  spm_spaces
};

TEST(Tokenizer, sentence_piece_from_a_hub_file) {
  const Tokenizer tokenizer = load(sentence_piece_hub(""));
  // By merges: "b c" comes before "a b", though "ab" is a token.
  EXPECT_EQ(tokenizer.encode("abc", true), (Ids{spm_space_a, spm_bc}));
  EXPECT_EQ(tokenizer.encode("ab", true), (Ids{spm_space_ab}));
  EXPECT_EQ(tokenizer.encode("<s>ab</s>b", true), (Ids{1, spm_space_ab, 2, spm_space, spm_b}));
  EXPECT_EQ(tokenizer.encode("\xc3\xa9", true), (Ids{spm_space, 3 + 0xc3, 3 + 0xa9}));
  EXPECT_EQ(tokenizer.encode(" a", true), (Ids{spm_space, spm_space_a}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a b\xc3\xa9", true), true), "a b\xc3\xa9");
  EXPECT_TRUE(tokenizer.is_special(0));
  EXPECT_TRUE(tokenizer.add_bos());
  EXPECT_EQ(tokenizer.bos(), 1);

  // Where the space in front comes: at the beginning of a text, of each text, or nowhere; never a second one.
  EXPECT_EQ(load(sentence_piece_hub("first")).encode("b</s>b", true), (Ids{spm_space, spm_b, 2, spm_b}));
  EXPECT_EQ(load(sentence_piece_hub("always")).encode("b</s>b", true),
            (Ids{spm_space, spm_b, 2, spm_space, spm_b}));
  EXPECT_EQ(load(sentence_piece_hub("always")).encode(" b", true), (Ids{spm_space, spm_b}));
  EXPECT_EQ(load(sentence_piece_hub("never")).encode("b b", true), (Ids{spm_b, spm_space, spm_b}));

  using ::testing::HasSubstr;
  json bad = sentence_piece_hub("first");
  bad["pre_tokenizer"]["split"] = true;
  EXPECT_THAT(error_of([&] { load(bad); }), HasSubstr("split: true is not supported"));
  bad = sentence_piece_hub("");
  bad["normalizer"] = nullptr;
  EXPECT_THAT(error_of([&] { load(bad); }), HasSubstr("byte_fallback: true is supported where"));
  bad = sentence_piece_hub("");
  bad["model"]["byte_fallback"] = false;
  EXPECT_THAT(error_of([&] { load(bad); }), HasSubstr("byte_fallback: false is not supported"));
}

/// A tokenizer made again from its own lists.
Tokenizer again(const Tokenizer& tokenizer) {
  const VocabularyLists lists = tokenizer.lists();
  VocabularyData data;
  data.model = lists.model;
  data.pre = lists.pre;
  data.space_prefix = lists.space_prefix;
  data.add_space_prefix = lists.add_space_prefix;
  data.pieces.assign(lists.pieces.begin(), lists.pieces.end());
  data.scores = lists.scores;
  data.types = lists.types;
  data.merges.assign(lists.merges.begin(), lists.merges.end());
  return Tokenizer::from_vocabulary(data);
}

TEST(TokenizerLists, make_a_tokenizer_with_the_same_ids) {
  const auto split = [](const std::string& pattern) {
    return json{
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
  };
  const std::string words = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})";
  const std::string rest = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  json gpt2 = tiny_hub(english);
  gpt2["added_tokens"] = {added(263, "<s>", true), added(264, "<think>", false), added(270, "<far>", false)};
  json qwen2 = gpt2;
  qwen2["pre_tokenizer"] = split(words + rest);
  qwen2["normalizer"] = {{"type", "NFC"}};
  json r1 = qwen2;
  r1["added_tokens"].push_back(added(271, "<｜User｜>", false));
  json llama3 = gpt2;
  llama3["pre_tokenizer"] = split(words + "{1,3}" + rest);
  json smaug = llama3;
  llama3["model"]["ignore_merges"] = true;
  json twice = gpt2;
  twice["model"]["merges"].push_back("h e");

  const std::pair<json, std::string> cases[] = {{gpt2, "gpt-2"},
                                                {qwen2, "qwen2"},
                                                {r1, "deepseek-r1-qwen"},
                                                {llama3, "llama-bpe"},
                                                {smaug, "smaug-bpe"},
                                                {twice, "gpt-2"},
                                                {sentence_piece_hub(""), ""},
                                                {sentence_piece_hub("first"), ""},
                                                {sentence_piece_hub("always"), ""},
                                                {sentence_piece_hub("never"), ""}};
  const std::vector<std::string> parts = {
      "he",  "llo",       " w",           "a",   "aa",      "b",    "c",          " ",    "\n", "12345",
      "'ll", "e\xcc\x81", "\xe4\xbd\xa0", "<s>", "<think>", "</s>", "<｜User｜>", "<far>"};
  for (const auto& [hub, pre] : cases) {
    const Tokenizer tokenizer = load(hub);
    EXPECT_EQ(tokenizer.lists().pre, pre);
    const Tokenizer other = again(tokenizer);
    for (uint64_t i = 0; i < 2000; ++i) {
      std::string text;
      for (uint64_t k = 0; k < 1 + i % 12; ++k) {
        text += parts[random_bits(i, k) % parts.size()];
      }
      const Ids ids = tokenizer.encode(text, i % 2 == 0);
      ASSERT_EQ(ids, other.encode(text, i % 2 == 0)) << pre << ": " << text;
      ASSERT_EQ(tokenizer.decode(ids, i % 3 == 0), other.decode(ids, i % 3 == 0)) << pre << ": " << text;
    }
  }
  json odd = gpt2;
  odd["pre_tokenizer"] = split("x+");
  EXPECT_THAT(error_of([&] { (void)load(odd).lists(); }), ::testing::HasSubstr("with a GGUF name (gpt-2,"));
  qwen2["normalizer"] = nullptr;
  EXPECT_THAT(error_of([&] { (void)load(qwen2).lists(); }), ::testing::HasSubstr("normalizer NFC is false"));
}

TEST(IncrementalDecoder, ids_beyond_the_tokenizer_are_no_text) {
  const Tokenizer tokenizer = load(tiny_hub(english));
  IncrementalDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.push('a') + decoder.push(5000) + decoder.push('b'), "ab");
}

TEST(IncrementalDecoder, never_gives_half_a_character) {
  const Tokenizer tokenizer = load(tiny_hub(english));
  IncrementalDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.push(0xf0), "");
  EXPECT_EQ(decoder.push(0x9f), "");
  EXPECT_EQ(decoder.push(0x98), "");
  EXPECT_EQ(decoder.push(0x80), "\xf0\x9f\x98\x80");
  EXPECT_EQ(decoder.push(0xe4), "");
  EXPECT_EQ(decoder.push('a'), "\xef\xbf\xbd\x61");
  EXPECT_EQ(decoder.push(0xff), "\xef\xbf\xbd");
  EXPECT_EQ(decoder.push(0xe4), "");
  EXPECT_EQ(decoder.push(0xbd), "");
  EXPECT_EQ(decoder.pending(), "\xe4\xbd");
  EXPECT_EQ(decoder.finish(), "\xef\xbf\xbd");
  EXPECT_EQ(decoder.finish(), "");
  EXPECT_EQ(decoder.push(hello), "hello");
}

TEST(IncrementalDecoder, adds_up_to_decode_for_any_bytes) {
  const Tokenizer tokenizer = load(tiny_hub(english));
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Ids ids;
    for (uint64_t i = 0; i < 12; ++i) {
      const uint64_t bits = random_bits(seed, i);
      ids.push_back(static_cast<int32_t>(bits % 3 == 0 ? 0x80 + bits / 3 % 0x40 : 0xc0 + bits / 3 % 0x40));
    }
    IncrementalDecoder decoder(tokenizer);
    std::string text;
    for (const int32_t id : ids) {
      text += decoder.push(id);
    }
    text += decoder.finish();
    ASSERT_EQ(text, tokenizer.decode(ids, true));
  }
}

}  // namespace
}  // namespace r1
