#include "formats/quantise_policy.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/error.h"

namespace r1 {
namespace {

using Target = QuantisationTarget;

const QuantisedModelShape kQwen7B = {"qwen2", 28, 28, 4, false};
const QuantisedModelShape kLlama70B = {"llama", 80, 64, 8, false};
const QuantisedModelShape kR1 = {"deepseek2", 61, 128, 128, false};

DType choose(const std::string& name, const QuantisedModelShape& model, Target target,
             const std::vector<int64_t>& shape = {512, 1024}) {
  return choose_type(name, shape, model, target).dtype;
}

std::string layer(int number, const std::string& rest) {
  return "blk." + std::to_string(number) + "." + rest;
}

TEST(QuantisePolicy, MoreBitsForTheOuterLayersAndEveryThird) {
  for (Target target : {Target::q4_k_m, Target::q5_k_m}) {
    const DType base = info(target).base;
    for (const char* tensor : {"attn_v.weight", "ffn_down.weight"}) {
      std::string pattern;
      for (int i = 0; i < 28; ++i) {
        const DType chosen = choose(layer(i, tensor), kQwen7B, target);
        EXPECT_TRUE(chosen == base || chosen == DType::q6_k);
        pattern += chosen == base ? '.' : '6';
      }
      // As in the published Q4_K_M files of 28 layers: 0-2, 5, 8, …, 23, 24-27.
      EXPECT_EQ(pattern, "666..6..6..6..6..6..6..66666");
    }
    EXPECT_EQ(choose(layer(0, "attn_q.weight"), kQwen7B, target), base);
    EXPECT_EQ(choose(layer(0, "attn_output.weight"), kQwen7B, target), base);
  }
}

TEST(QuantisePolicy, OneTargetOneLayer) {
  struct Row {
    Target target;
    DType value, down_first, down_last, output_projection, other;
  };
  using enum DType;
  const Row rows[] = {
      {Target::q2_k, q4_k, q3_k, q3_k, q3_k, q2_k},   {Target::q3_k_s, q3_k, q3_k, q3_k, q3_k, q3_k},
      {Target::q3_k_m, q5_k, q5_k, q4_k, q4_k, q3_k}, {Target::q3_k_l, q5_k, q5_k, q5_k, q5_k, q3_k},
      {Target::q4_k_s, q5_k, q5_k, q4_k, q4_k, q4_k}, {Target::q5_k_s, q5_k, q5_k, q5_k, q5_k, q5_k},
      {Target::q6_k, q6_k, q6_k, q6_k, q6_k, q6_k},   {Target::q4_0, q4_0, q4_0, q4_0, q4_0, q4_0},
      {Target::q8_0, q8_0, q8_0, q8_0, q8_0, q8_0},   {Target::f16, f16, f16, f16, f16, f16},
      {Target::bf16, bf16, bf16, bf16, bf16, bf16},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(info(row.target).name);
    EXPECT_EQ(choose(layer(0, "attn_v.weight"), kQwen7B, row.target), row.value);
    EXPECT_EQ(choose(layer(0, "ffn_down.weight"), kQwen7B, row.target), row.down_first);
    EXPECT_EQ(choose(layer(27, "ffn_down.weight"), kQwen7B, row.target), row.down_last);
    EXPECT_EQ(choose(layer(0, "attn_output.weight"), kQwen7B, row.target), row.output_projection);
    EXPECT_EQ(choose(layer(0, "ffn_up.weight"), kQwen7B, row.target), row.other);
    EXPECT_EQ(choose("token_embd.weight", kQwen7B, row.target), row.other);
    const bool blocks = is_quantised(row.other);
    EXPECT_EQ(choose("output.weight", kQwen7B, row.target), blocks && row.other != q8_0 ? q6_k : row.other);
  }
}

TEST(QuantisePolicy, ValuesOfThe70BModelAreCheap) {
  EXPECT_EQ(choose(layer(40, "attn_v.weight"), kLlama70B, Target::q3_k_s), DType::q5_k);
  EXPECT_EQ(choose(layer(10, "attn_v.weight"), kLlama70B, Target::q4_k_m), DType::q5_k);
  EXPECT_EQ(choose(layer(0, "attn_v.weight"), kLlama70B, Target::q4_k_m), DType::q6_k);
}

TEST(QuantisePolicy, TiedEmbeddingsAreTheOutputMatrix) {
  QuantisedModelShape tied = kQwen7B;
  tied.tied_embeddings = true;
  EXPECT_EQ(choose("token_embd.weight", tied, Target::q4_k_m), DType::q6_k);
  EXPECT_EQ(choose("token_embd.weight", kQwen7B, Target::q4_k_m), DType::q4_k);
}

TEST(QuantisePolicy, SmallThingsStayFloat) {
  const std::map<std::string, std::vector<int64_t>> kept = {
      {"output_norm.weight", {1024}},         {"blk.0.attn_q.bias", {1024}},
      {"blk.3.exp_probs_b.bias", {256}},      {"blk.3.ffn_gate_inp.weight", {256, 7168}},
      {"blk.0.attn_q_a_norm.weight", {1536}}, {"rope_freqs.weight", {64}},
  };
  for (Target target : {Target::f16, Target::q4_k_m, Target::q8_0}) {
    for (const auto& [name, shape] : kept) {
      const TypeChoice choice = choose_type(name, shape, kR1, target);
      EXPECT_EQ(choice.dtype, DType::f32) << name;
      EXPECT_TRUE(choice.kept) << name;
    }
  }
}

TEST(QuantisePolicy, DeepSeekTensors) {
  EXPECT_EQ(choose(layer(3, "ffn_down_exps.weight"), kR1, Target::q4_k_m, {256, 7168, 2048}), DType::q6_k);
  EXPECT_EQ(choose(layer(11, "ffn_down_exps.weight"), kR1, Target::q4_k_m, {256, 7168, 2048}), DType::q4_k);
  EXPECT_EQ(choose(layer(3, "ffn_down_shexp.weight"), kR1, Target::q4_k_m, {7168, 2048}), DType::q6_k);
  EXPECT_EQ(choose(layer(3, "ffn_gate_exps.weight"), kR1, Target::q4_k_m, {256, 2048, 7168}), DType::q4_k);
  EXPECT_EQ(choose(layer(3, "attn_kv_b.weight"), kR1, Target::q4_k_m, {32768, 512}), DType::q6_k);
  EXPECT_EQ(choose(layer(3, "attn_v_b.weight"), kR1, Target::q4_k_m, {128, 128, 512}), DType::q4_k);
}

TEST(QuantisePolicy, RowsThatDoNotFitFallBackAndSaySo) {
  // The key half of MLA's up-projection has rows of 128.
  const TypeChoice choice =
      choose_type("blk.3.attn_k_b.weight", std::vector<int64_t>{128, 512, 128}, kR1, Target::q4_k_m);
  EXPECT_EQ(choice.dtype, DType::q5_0);
  EXPECT_TRUE(choice.fallback);
  EXPECT_EQ(choice.reason, "Q5_0 instead of Q4_K: rows of 128 are no multiple of 256");
  EXPECT_EQ(choose(layer(3, "ffn_up.weight"), kR1, Target::q2_k, {8, 96}), DType::q4_0);
  EXPECT_EQ(choose(layer(3, "ffn_up.weight"), kR1, Target::q5_k_s, {8, 96}), DType::q5_1);
  EXPECT_EQ(choose("output.weight", kR1, Target::q4_0, {8, 96}), DType::q8_0);
  EXPECT_EQ(choose(layer(3, "ffn_up.weight"), kR1, Target::q8_0, {8, 48}), DType::f16);
}

TEST(QuantisePolicy, NamesAndNumbers) {
  EXPECT_EQ(quantisation_target_from_name("q4_k_m"), Target::q4_k_m);
  EXPECT_EQ(quantisation_target_from_name("Q5_K"), Target::q5_k_m);
  EXPECT_EQ(quantisation_target_from_name("Q9_K"), std::nullopt);
  for (const QuantisationTargetInfo& target : quantisation_targets()) {
    EXPECT_EQ(info(target.target).name, target.name);
    EXPECT_EQ(quantisation_target_from_name(target.name), target.target);
  }
  EXPECT_EQ(info(Target::q4_k_m).file_type, 15U);
  EXPECT_THROW(choose("blk.28.attn_v.weight", kQwen7B, Target::q4_k_m), Error);
  EXPECT_THROW(choose("ffn_down.weight", kQwen7B, Target::q4_k_m), Error);
}

}  // namespace
}  // namespace r1
