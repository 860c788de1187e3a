// Adapters find the weights that they add to by WeightId, wherever the weights are, or are refused.
#include "nn/adapter.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "model/decoder.h"
#include "tests/model/model_runner.h"
#include "tests/model/tiny_model.h"

namespace r1 {
namespace {

constexpr int64_t kRank = 2, kHidden = 256;

/// One term on a {outputs, 256} matrix.
struct Term {
  Term(const ModelFile& file, const std::string& tensor, int64_t outputs)
      : a(test::drawn(kRank * kHidden, 1, -0.1, 0.1)), b(test::drawn(outputs * kRank, 2, -0.1, 0.1)) {
    adapter.add(weight_id(file, tensor), {a.data(), b.data(), kRank, 1.5F});
  }

  std::vector<float> a, b;
  Adapter adapter;
};

std::vector<float> logits(ModelRunner& runner, const Adapter* adapter) {
  const std::vector<int32_t> tokens{5, 6, 7, 8}, blocks{0}, wanted{1, 3};
  const SequenceSlice slice{4, 0, blocks, adapter};
  std::vector<float> out(wanted.size() * runner.vocabulary());
  runner.model().forward(runner.context(), {tokens, {&slice, 1}, wanted}, runner.cache(), out.data());
  return out;
}

TEST(AdapterOfAModel, IsFoundWhereverTheWeightsAre) {
  const test::TinyModel tiny("tiny-qwen2", "Q8_0");
  ModelRunner one(tiny.path(), Arithmetic::fast, DType::f16);
  ModelRunner other(tiny.path(), Arithmetic::fast, DType::f16);  // the same file in another place of memory
  for (const std::string tensor : {"blk.1.attn_q.weight", "blk.0.ffn_gate.weight"}) {
    const int64_t outputs = tensor == "blk.1.attn_q.weight" ? 256 : 512;
    const Term term(*ModelFile::open(tiny.path()), tensor, outputs);
    const std::vector<float> with = logits(one, &term.adapter);
    EXPECT_NE(with, logits(one, nullptr)) << tensor;
    EXPECT_EQ(with, logits(other, &term.adapter)) << tensor;
  }
}

TEST(AdapterOfAModel, ThatAddsToNoLayerIsRefused) {
  const test::TinyModel tiny("tiny-deepseek");
  const auto file = ModelFile::open(tiny.path());
  ModelRunner runner(tiny.path(), Arithmetic::exact, DType::f32);
  const auto message = [&](const std::string& tensor) -> std::string {
    const Term term(*file, tensor, 256);
    try {
      logits(runner, &term.adapter);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message("blk.0.attn_q_a.weight"), "");
  EXPECT_EQ(message("blk.1.ffn_down_shexp.weight"), "");
  EXPECT_EQ(message("blk.1.ffn_gate_inp.weight"),
            "forward: an adapter adds to tensor 'blk.1.ffn_gate_inp.weight', which is no layer of this model "
            "that takes adapters");
  EXPECT_EQ(
      message("blk.9.attn_q.weight"),
      "forward: an adapter adds to a tensor that the model's file does not have, which is no layer of this "
      "model that takes adapters");
}

TEST(WeightIds, TellTensorsAndSlicesApart) {
  const test::TinyModel tiny("tiny-deepseek");
  const auto file = ModelFile::open(tiny.path());
  WeightBinder binder(file);
  const std::vector<Linear> experts = binder.stack("blk.1.ffn_up_exps.weight", 16, 256, 256);
  EXPECT_EQ(experts[3].weight.id, weight_id(*file, "blk.1.ffn_up_exps.weight", 3));
  EXPECT_NE(experts[3].weight.id, experts[4].weight.id);
  EXPECT_NE(experts[0].weight.id, binder.stack("blk.1.ffn_gate_exps.weight", 16, 256, 256)[0].weight.id);
  EXPECT_FALSE(weight_id(*file, "blk.1.nothing").is_known());
}

}  // namespace
}  // namespace r1
