#include "formats/convert.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/model_file.h"
#include "formats/synth.h"
#include "formats/vocabulary.h"
#include "tensor/codec.h"
#include "tests/formats/file_builder.h"
#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

using nlohmann::json;
using test::expect_error;

std::vector<float> decode(const TensorView& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  const auto columns = static_cast<size_t>(tensor.columns());
  for (size_t row = 0; row < static_cast<size_t>(tensor.rows()); ++row) {
    const auto target = std::span(values).subspan(row * columns, columns);
    dequantise_row(tensor.dtype, tensor.data + row * row_bytes(tensor.dtype, tensor.columns()), target);
    if (tensor.block_scales == nullptr) continue;
    const size_t blocks = (columns + 127) / 128;
    for (size_t i = 0; i < columns; ++i) target[i] *= tensor.block_scales[row / 128 * blocks + i / 128];
  }
  return values;
}

/// Converts a fixture to F32 and holds it against the same model as another program converted it.
class ConvertFixture : public ::testing::TestWithParam<const char*> {};

TEST_P(ConvertFixture, EqualsTheReferenceFile) {
  const std::string folder_name = std::string("fixtures/") + GetParam();
  R1_REQUIRE_SHARED(folder_name);
  test::TemporaryFolder folder;
  ConvertOptions options;
  options.type = DType::f32;
  const ConvertReport report = convert_hub_to_gguf(shared_path(folder_name), folder / "m.gguf", options);
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_NE(report.notes[0].find("no vocabulary"), std::string::npos);

  const GgufFile ours = GgufFile::open(folder / "m.gguf");
  const GgufFile reference = GgufFile::open(shared_path(folder_name) / "model-f32.gguf");
  for (std::string_view key : reference.keys()) {
    if (key.starts_with("tokenizer.") || key == "general.name") continue;
    // The reference file of DeepSeek has the earlier layout: one matrix for keys and values, no shared key.
    if (reference.has("deepseek2.block_count") &&
        (key.ends_with(".head_count_kv") || key.ends_with(".key_length") || key.ends_with(".value_length"))) {
      continue;
    }
    const GgufValue* value = ours.find_value(key);
    ASSERT_NE(value, nullptr) << key;
    const GgufValue* expected = reference.find_value(key);
    EXPECT_EQ(value->type, expected->type) << key;
    EXPECT_TRUE(std::ranges::equal(value->bytes, expected->bytes)) << key;
  }
  for (const TensorView& expected : reference.tensors()) {
    const TensorView* tensor = ours.find(expected.name);
    if (expected.name.ends_with("attn_kv_b.weight")) continue;
    ASSERT_NE(tensor, nullptr) << expected.name;
    EXPECT_EQ(tensor->shape, expected.shape) << expected.name;
    const auto values = decode(*tensor);
    const auto expected_values = decode(expected);
    for (size_t i = 0; i < values.size(); ++i) {
      const float tolerance = expected.name == "rope_freqs.weight" ? 1e-5F * expected_values[i] : 0;
      ASSERT_NEAR(values[i], expected_values[i], tolerance) << expected.name << " " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ConvertFixture,
                         ::testing::Values("qwen2-tiny", "llama3-tiny", "deepseek-v3-tiny"));

TEST(Convert, SplitsLatentAttentionIntoKeysAndValues) {
  R1_REQUIRE_SHARED("fixtures/deepseek-v3-tiny");
  test::TemporaryFolder folder;
  ConvertOptions options;
  options.type = DType::f32;
  convert_hub_to_gguf(shared_path("fixtures/deepseek-v3-tiny"), folder / "m.gguf", options);
  const GgufFile ours = GgufFile::open(folder / "m.gguf");
  const GgufFile reference = GgufFile::open(shared_path("fixtures/deepseek-v3-tiny/model-f32.gguf"));
  constexpr size_t kHeads = 4;
  constexpr size_t kNope = 32;
  constexpr size_t kValue = 32;
  constexpr size_t kRank = 32;
  const auto both = decode(*reference.find("blk.1.attn_kv_b.weight"));  // {heads · (nope + value), rank}
  const TensorView* key = ours.find("blk.1.attn_k_b.weight");
  const TensorView* value = ours.find("blk.1.attn_v_b.weight");
  ASSERT_NE(key, nullptr);
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(key->shape, (std::vector<int64_t>{kHeads, kRank, kNope}));
  EXPECT_EQ(value->shape, (std::vector<int64_t>{kHeads, kValue, kRank}));
  const auto keys = decode(*key);
  const auto values = decode(*value);
  for (size_t head = 0; head < kHeads; ++head) {
    for (size_t rank = 0; rank < kRank; ++rank) {
      for (size_t i = 0; i < kNope; ++i) {
        ASSERT_EQ(keys[(head * kRank + rank) * kNope + i],
                  both[(head * (kNope + kValue) + i) * kRank + rank]);
      }
      for (size_t i = 0; i < kValue; ++i) {
        ASSERT_EQ(values[(head * kValue + i) * kRank + rank],
                  both[(head * (kNope + kValue) + kNope + i) * kRank + rank]);
      }
    }
  }
  EXPECT_EQ(ours.require_u32("deepseek2.attention.head_count_kv"), 1U);
  EXPECT_EQ(ours.require_u32("deepseek2.attention.key_length"), 48U);
  EXPECT_EQ(ours.require_u32("deepseek2.attention.key_length_mla"), 48U);
  EXPECT_EQ(ours.require_u32("deepseek2.attention.value_length"), 32U);
}

TEST(Convert, Fp8BecomesBf16WithItsScales) {
  R1_REQUIRE_SHARED("fixtures/deepseek-v3-tiny-fp8");
  test::TemporaryFolder folder;
  convert_hub_to_gguf(shared_path("fixtures/deepseek-v3-tiny-fp8"), folder / "m.gguf", {});
  const GgufFile ours = GgufFile::open(folder / "m.gguf");
  const auto hub = ModelFile::open(shared_path("fixtures/deepseek-v3-tiny-fp8"));
  const TensorView* source = hub->find("model.layers.0.self_attn.q_a_proj.weight");
  const TensorView* tensor = ours.find("blk.0.attn_q_a.weight");
  ASSERT_EQ(source->dtype, DType::f8_e4m3);
  ASSERT_EQ(tensor->dtype, DType::bf16);
  const auto expected = decode(*source);
  const auto values = decode(*tensor);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], expected[i], std::abs(expected[i]) / 256);
  EXPECT_EQ(ours.find("blk.1.ffn_gate_exps.weight")->dtype, DType::bf16);
  EXPECT_EQ(ours.find("blk.1.ffn_gate_inp.weight")->dtype, DType::f32);
  EXPECT_EQ(ours.find("blk.1.exp_probs_b.bias")->dtype, DType::f32);
}

/// A hub directory of the smallest Qwen2, to be damaged in one place.
class ConvertDirectory : public ::testing::Test {
 protected:
  ConvertDirectory() {
    config_ = {{"architectures", {"Qwen2ForCausalLM"}},
               {"hidden_act", "silu"},
               {"hidden_size", 32},
               {"num_hidden_layers", 1},
               {"num_attention_heads", 2},
               {"num_key_value_heads", 1},
               {"intermediate_size", 32},
               {"vocab_size", 300},
               {"rope_theta", 1e4},
               {"rms_norm_eps", 1e-6},
               {"tie_word_embeddings", true},
               {"max_position_embeddings", 64}};
    const std::string layer = "model.layers.0.";
    shapes_ = {
        {"model.embed_tokens.weight", {300, 32}},      {"model.norm.weight", {32}},
        {layer + "input_layernorm.weight", {32}},      {layer + "post_attention_layernorm.weight", {32}},
        {layer + "self_attn.q_proj.weight", {32, 32}}, {layer + "self_attn.k_proj.weight", {16, 32}},
        {layer + "self_attn.v_proj.weight", {16, 32}}, {layer + "self_attn.q_proj.bias", {32}},
        {layer + "self_attn.k_proj.bias", {16}},       {layer + "self_attn.v_proj.bias", {16}},
        {layer + "self_attn.o_proj.weight", {32, 32}}, {layer + "mlp.gate_proj.weight", {32, 32}},
        {layer + "mlp.up_proj.weight", {32, 32}},      {layer + "mlp.down_proj.weight", {32, 32}}};
  }

  void write(float value = 0) {
    test::write_file(folder_ / "config.json", config_.dump());
    SafetensorsWriter writer(folder_ / "model.safetensors");
    int64_t elements = 0;
    for (const auto& [name, shape] : shapes_) {
      writer.declare_tensor(name, DType::f32, shape);
      int64_t product = 1;
      for (int64_t extent : shape) product *= extent;
      elements += product;
    }
    const std::vector<float> values(static_cast<size_t>(elements), value);
    writer.append(std::as_bytes(std::span(values)));
    writer.finish();
  }
  ConvertReport convert(std::optional<DType> type = {}) {
    ConvertOptions options;
    options.type = type;
    return convert_hub_to_gguf(folder_.path, folder_ / "m.gguf", options);
  }

  json config_;
  std::map<std::string, std::vector<int64_t>> shapes_;
  test::TemporaryFolder folder_;
};

TEST_F(ConvertDirectory, RefusesWhatItDoesNotKnowByName) {
  auto bad = [&](const char* key, const json& value, ErrorKind kind, std::string_view part) {
    const json old = config_;
    config_[key] = value;
    write();
    expect_error(kind, part, [&] { convert(); });
    config_ = old;
  };
  bad("architectures", {"MambaForCausalLM"}, ErrorKind::unsupported,
      "architectures: 'MambaForCausalLM' is not supported; known: LlamaForCausalLM, MistralForCausalLM");
  bad("hidden_act", "gelu", ErrorKind::unsupported, "hidden_act: 'gelu' is not supported; known: silu");
  bad("rope_scaling", {{"type", "magic"}, {"factor", 2}}, ErrorKind::unsupported, "'magic' is not supported");
  bad("use_sliding_window", true, ErrorKind::unsupported, "use_sliding_window");
  bad("hidden_size", "many", ErrorKind::bad_file, "hidden_size: expected an integer, found \"many\"");
  bad("num_hidden_layers", 5000, ErrorKind::bad_file, "expected 1 to 4096, found 5000");
  bad("head_dim", 15, ErrorKind::bad_file, "expected heads of even width, found 15");
  bad("hidden_size", -5, ErrorKind::bad_file, "hidden_size: expected 1 to");
  bad("num_hidden_layers", 2, ErrorKind::bad_file, "'model.layers.1.input_layernorm.weight' is missing");
  bad("intermediate_size", 64, ErrorKind::bad_file, "expected shape [64, 32], found [32, 32]");
}

TEST_F(ConvertDirectory, DropsNoTensorSilently) {
  shapes_["model.layers.0.mystery.weight"] = {4};
  write();
  expect_error(ErrorKind::bad_file, "'model.layers.0.mystery.weight' has no place", [&] { convert(); });
  shapes_.erase("model.layers.0.mystery.weight");
  shapes_["model.layers.1.self_attn.o_proj.weight"] = {32, 32};
  write();
  expect_error(ErrorKind::bad_file, "'model.layers.1.self_attn.o_proj.weight': expected a layer below 1",
               [&] { convert(); });
  shapes_.erase("model.layers.1.self_attn.o_proj.weight");
  shapes_["lm_head.weight"] = {300, 32};
  shapes_["model.layers.0.self_attn.rotary_emb.inv_freq"] = {8};
  write();
  EXPECT_EQ(convert().notes.size(), 1U);  // a copy of the embeddings is no news; no vocabulary is
}

TEST_F(ConvertDirectory, AValueTooLargeForF16IsRefused) {
  write(1e6F);
  expect_error(ErrorKind::unsupported, "a value that F16 cannot hold", [&] { convert(DType::f16); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "m.gguf"));
  convert(DType::bf16);
  EXPECT_EQ(GgufFile::open(folder_ / "m.gguf").find("token_embd.weight")->dtype, DType::bf16);
  write(1.0F);
  convert(DType::q8_0);
  const GgufFile file = GgufFile::open(folder_ / "m.gguf");
  EXPECT_EQ(file.find("token_embd.weight")->dtype, DType::q8_0);
  EXPECT_EQ(file.find("output_norm.weight")->dtype, DType::f32);
  EXPECT_NEAR(decode(*file.find("blk.0.ffn_up.weight"))[5], 1.0F, 1e-3F);
  expect_error(ErrorKind::invalid_argument, "not Q4_K", [&] { convert(DType::q4_k); });
}

class ConvertTokenizer : public ConvertDirectory {
 protected:
  ConvertTokenizer() {
    json vocabulary = {{"a", 0}, {"b", 1}, {"ab", 2}};
    tokenizer_ = {
        {"normalizer", {{"type", "NFC"}}},
        {"added_tokens",
         {{{"id", 3}, {"content", "<｜begin▁of▁sentence｜>"}, {"special", true}},
          {{"id", 4}, {"content", "<｜User｜>"}, {"special", false}},
          {{"id", 5}, {"content", "<think>"}, {"special", false}}}},
        {"pre_tokenizer",
         {{"type", "Sequence"},
          {"pretokenizers",
           {{{"type", "Split"},
             {"pattern",
              {{"Regex",
                R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"}}},
             {"behavior", "Isolated"},
             {"invert", false}},
            {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}}},
        {"model",
         {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", json::array({json::array({"a", "b"})})}}}};
  }
  void write_tokenizer() {
    write();
    test::write_file(folder_ / "tokenizer.json", tokenizer_.dump());
    test::write_file(
        folder_ / "tokenizer_config.json",
        R"({"bos_token":{"content":"<｜begin▁of▁sentence｜>"},"add_bos_token":true,"chat_template":"T"})");
  }
  json tokenizer_;
};

TEST_F(ConvertTokenizer, IsWritten) {
  write_tokenizer();
  EXPECT_TRUE(convert().notes.empty());
  const GgufFile file = GgufFile::open(folder_ / "m.gguf");
  EXPECT_EQ(file.require_string("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(file.require_string("tokenizer.ggml.pre"), "deepseek-r1-qwen");
  const auto tokens = file.require_strings("tokenizer.ggml.tokens");
  ASSERT_EQ(tokens.size(), 300U);
  EXPECT_EQ(tokens[2], "ab");
  EXPECT_EQ(tokens[5], "<think>");
  EXPECT_EQ(tokens[6], "[PAD6]");
  const auto types = file.find_i32s("tokenizer.ggml.token_type").value();
  EXPECT_EQ(types[2], 1);
  EXPECT_EQ(types[3], 3);
  EXPECT_EQ(types[4], 4);  // as tokenizer.json has it: not special
  EXPECT_EQ(types[5], 4);
  EXPECT_EQ(types[6], 5);
  EXPECT_EQ(file.require_strings("tokenizer.ggml.merges")[0], "a b");
  EXPECT_EQ(file.require_u32("tokenizer.ggml.bos_token_id"), 3U);
  EXPECT_TRUE(file.require_bool("tokenizer.ggml.add_bos_token"));
  EXPECT_FALSE(file.has("tokenizer.ggml.eos_token_id"));
  EXPECT_EQ(file.require_string("tokenizer.chat_template"), "T");
}

TEST_F(ConvertTokenizer, TokensWithoutARowAreLeftOutWithANote) {
  tokenizer_["added_tokens"].push_back({{"id", 300}, {"content", "[PAD]"}, {"special", true}});
  write_tokenizer();
  const ConvertReport report = convert();
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_EQ(report.notes[0], "left out: 1 tokens from id 300 on, for which the model has no rows");
  EXPECT_EQ(GgufFile::open(folder_ / "m.gguf").require_strings("tokenizer.ggml.tokens").size(), 300U);
}

TEST_F(ConvertTokenizer, TheVocabularyIsTheSameInBothForms) {
  tokenizer_["added_tokens"].push_back({{"id", 9}, {"content", "<|im_end|>"}, {"special", false}});
  tokenizer_["model"]["merges"].push_back(json::array({"a", "b"}));
  tokenizer_["model"]["dropout"] = 0.0;
  config_["eos_token_id"] = 2;
  write_tokenizer();
  test::write_file(folder_ / "generation_config.json", R"({"eos_token_id": [5, 2]})");
  test::write_file(folder_ / "tokenizer_config.json",
                   R"({"bos_token": "<｜begin▁of▁sentence｜>", "pad_token": "[PAD]", "unk_token": "[UNK]",
                       "add_bos_token": null, "chat_template": "{{ messages }}"})");
  EXPECT_TRUE(convert().notes.empty());
  const Vocabulary hub = load_vocabulary(folder_.path);
  const Vocabulary gguf = load_vocabulary(*ModelFile::open(folder_ / "m.gguf"));
  EXPECT_EQ(hub.end_of_generation, (std::vector<int32_t>{2, 5, 9}));
  EXPECT_EQ(gguf.end_of_generation, hub.end_of_generation);
  EXPECT_EQ(gguf.eos, hub.eos);
  EXPECT_EQ(gguf.bos, hub.bos);
  EXPECT_EQ(gguf.chat_template, hub.chat_template);
  EXPECT_EQ(gguf.tokenizer.add_bos(), hub.tokenizer.add_bos());
  for (const char* text : {"ab", "ba<think>ab<｜User｜>", "<|im_end|>a", "<｜begin▁of▁sentence｜>"}) {
    for (const bool special : {true, false}) {
      if (!special && text[1] == '|') continue;  // no token for '<'
      if (!special && std::string_view(text).starts_with("<｜")) continue;
      const std::vector<int32_t> ids = hub.tokenizer.encode(text, special);
      EXPECT_EQ(gguf.tokenizer.encode(text, special), ids) << text;
      EXPECT_EQ(gguf.tokenizer.decode(ids, true), hub.tokenizer.decode(ids, true)) << text;
    }
  }
}

TEST_F(ConvertTokenizer, RefusesWhatGgufCannotSay) {
  const json sound = tokenizer_;
  auto bad = [&](const char* pointer, const json& value, ErrorKind kind, std::string_view part) {
    tokenizer_ = sound;
    tokenizer_[json::json_pointer(pointer)] = value;
    write_tokenizer();
    expect_error(kind, part, [&] { convert(); });
  };
  bad("/pre_tokenizer/pretokenizers/0/pattern/Regex", "x+", ErrorKind::unsupported, "with a GGUF name");
  bad("/pre_tokenizer/pretokenizers/1/add_prefix_space", true, ErrorKind::unsupported, "with a GGUF name");
  bad("/pre_tokenizer", nullptr, ErrorKind::unsupported, "pre_tokenizer");
  bad("/normalizer/type", "Lowercase", ErrorKind::unsupported, "Lowercase");
  bad("/model/type", "Unigram", ErrorKind::unsupported, "\"Unigram\"");
  bad("/model/byte_fallback", true, ErrorKind::unsupported, "byte_fallback");
  bad("/model/vocab/ab", 1, ErrorKind::bad_file, "id 1 is given to");
  bad("/model/merges", json::array({"a b c"}), ErrorKind::bad_file, "left right");
  bad("/model/merges", 5, ErrorKind::bad_file, "model.merges");
  bad("/model/merges", json::array({"a c"}), ErrorKind::bad_file, "is no token");
  bad("/added_tokens/0/id", -1, ErrorKind::bad_file, "id -1");
}

}  // namespace
}  // namespace r1
