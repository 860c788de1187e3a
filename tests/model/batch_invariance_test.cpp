// A sequence's logits are the same bits whatever shares its batch and however it is cut.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "tests/model/model_runner.h"
#include "tests/model/tiny_model.h"
#include "tests/shared_folder.h"

namespace r1 {
namespace {

struct Case {
  const char* shape;
  const char* type;  // of the stored weights
  Arithmetic arithmetic;
  DType cache;
};

const char* name_of(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::fast:
      return "fast";
    case Arithmetic::exact:
      return "exact";
    case Arithmetic::mixed:
      return "mixed";
  }
  return "";
}

std::string describe(const Case& test_case) {
  std::string text = test_case.shape;
  for (const std::string& part : {std::string(test_case.type), std::string(name_of(test_case.arithmetic)),
                                  std::string(name(test_case.cache))}) {
    text += "_" + part;
  }
  std::ranges::replace(text, '-', '_');
  return text;
}

class BatchInvarianceTest : public testing::TestWithParam<Case> {
 protected:
  const test::TinyModel tiny_{GetParam().shape, GetParam().type};
};

struct Sequence {
  std::vector<int32_t> ids;
  std::vector<int32_t> blocks;
  int64_t done = 0;
  std::vector<float> logits;    // of the wanted rows so far
  std::vector<float> expected;  // of the same rows, run alone
};

TEST_P(BatchInvarianceTest, InterleavedSequencesGiveTheBitsOfEachAlone) {
  ModelRunner runner(tiny_.path(), GetParam().arithmetic, GetParam().cache);
  const int64_t vocabulary = runner.vocabulary();
  const KvCache::Plane plane = runner.cache().keys(0);
  ASSERT_NE(plane.data, nullptr);
  for (uint64_t seed = 0; seed < 6; ++seed) {
    uint64_t counter = 0;
    auto below = [&](int64_t limit) {
      return static_cast<int64_t>(random_bits(seed, counter++) % static_cast<uint64_t>(limit));
    };
    std::vector<Sequence> sequences(4);
    std::vector<int32_t> free_blocks;
    for (int32_t b = 0; b < 60; ++b) free_blocks.push_back(b);
    for (Sequence& sequence : sequences) {
      const int64_t length = 1 + below(70);
      for (int64_t i = 0; i < length; ++i) sequence.ids.push_back(static_cast<int32_t>(below(vocabulary)));
    }
    std::vector<std::vector<float>> alone;
    for (const Sequence& sequence : sequences) alone.push_back(runner.run(sequence.ids, 1 + below(70)));
    for (Sequence& sequence : sequences) {  // blocks in a scattered order
      for (size_t b = 0; b < sequence.ids.size() / KvCache::kBlockTokens + 1; ++b) {
        const auto place = free_blocks.begin() + below(static_cast<int64_t>(free_blocks.size()));
        sequence.blocks.push_back(*place);
        free_blocks.erase(place);
      }
    }
    for (;;) {
      std::vector<int32_t> tokens, wanted;
      std::vector<SequenceSlice> slices;
      std::vector<std::pair<size_t, int64_t>> owners;  // of each wanted row: sequence, position
      for (size_t s = 0; s < sequences.size(); ++s) {
        Sequence& sequence = sequences[s];
        const int64_t left = static_cast<int64_t>(sequence.ids.size()) - sequence.done;
        if (left == 0 || below(4) == 0) continue;
        const int64_t rows = 1 + below(std::min<int64_t>(left, 20));
        slices.push_back({rows, sequence.done, sequence.blocks});
        for (int64_t i = 0; i < rows; ++i, ++sequence.done) {
          if (below(2) == 0) {
            wanted.push_back(static_cast<int32_t>(tokens.size()));
            owners.emplace_back(s, sequence.done);
          }
          tokens.push_back(sequence.ids[sequence.done]);
        }
      }
      if (std::all_of(sequences.begin(), sequences.end(),
                      [](const Sequence& sequence) {
                        return sequence.done == static_cast<int64_t>(sequence.ids.size());
                      }) &&
          tokens.empty()) {
        break;
      }
      if (tokens.empty()) continue;
      std::vector<float> logits(wanted.size() * vocabulary);
      runner.model().forward(runner.context(), {tokens, slices, wanted}, runner.cache(), logits.data());
      for (size_t w = 0; w < wanted.size(); ++w) {
        const auto [s, position] = owners[w];
        ASSERT_TRUE(std::equal(logits.begin() + w * vocabulary, logits.begin() + (w + 1) * vocabulary,
                               alone[s].begin() + position * vocabulary))
            << "seed " << seed << " sequence " << s << " position " << position;
      }
    }
  }
}

TEST_P(BatchInvarianceTest, EveryInstructionSetAndNumberOfThreadsGivesTheSameBits) {
  std::vector<int32_t> ids;  // from 64 rows on, products run over packed panels
  for (int32_t i = 0; i < 80; ++i) ids.push_back(static_cast<int32_t>(random_bits(9, i) % 512));
  std::vector<float> expected;
  for (kernels::InstructionSet set :
       {kernels::InstructionSet::scalar, kernels::InstructionSet::avx2, kernels::InstructionSet::avx512}) {
    if (!kernels::is_supported(set)) continue;
    for (int threads : {1, 3}) {
      ModelRunner runner(tiny_.path(), GetParam().arithmetic, GetParam().cache, threads, set);
      const std::vector<float> logits = runner.run(ids, 70);
      if (expected.empty()) expected = logits;
      EXPECT_EQ(logits, expected) << "set " << static_cast<int>(set) << ", " << threads << " threads";
    }
  }
}

// A row of a batch of 64 takes another way than a row alone: both have to give the same bits.
TEST_P(BatchInvarianceTest, LongAndShortChunksGiveTheSameBits) {
  ModelRunner runner(tiny_.path(), GetParam().arithmetic, GetParam().cache);
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 130; ++i) ids.push_back(static_cast<int32_t>(random_bits(10, i) % 512));
  const std::vector<float> whole = runner.run(ids, 130);
  EXPECT_EQ(runner.run(ids, 64), whole);
  EXPECT_EQ(runner.run(ids, 63), whole);
  EXPECT_EQ(runner.run(ids, 1), whole);
}

INSTANTIATE_TEST_SUITE_P(Models, BatchInvarianceTest,
                         testing::Values(Case{"tiny-qwen2", "F32", Arithmetic::exact, DType::f32},
                                         Case{"tiny-qwen2", "BF16", Arithmetic::mixed, DType::f32},
                                         Case{"tiny-qwen2", "BF16", Arithmetic::fast, DType::f16},
                                         Case{"tiny-qwen2", "Q4_K_M", Arithmetic::fast, DType::f16},
                                         Case{"tiny-qwen2", "Q6_K", Arithmetic::fast, DType::q8_0},
                                         Case{"tiny-llama", "Q8_0", Arithmetic::fast, DType::q4_0},
                                         Case{"tiny-llama", "Q4_K_M", Arithmetic::mixed, DType::f16},
                                         Case{"tiny-llama", "F16", Arithmetic::exact, DType::q8_0},
                                         Case{"tiny-deepseek", "BF16", Arithmetic::fast, DType::f16},
                                         Case{"tiny-deepseek", "F32", Arithmetic::exact, DType::f32},
                                         Case{"tiny-deepseek", "Q8_0", Arithmetic::mixed, DType::f32},
                                         Case{"tiny-deepseek", "Q4_K_M", Arithmetic::fast, DType::f16}),
                         [](const auto& instance) { return describe(instance.param); });

// Weights with block scales beside them, in a hub directory.
TEST(BatchInvariance, OfAHubDirectoryInEightBits) {
  R1_REQUIRE_SHARED("fixtures/deepseek-v3-tiny-fp8");
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 70; ++i) ids.push_back(static_cast<int32_t>(random_bits(11, i) % 512));
  for (const Arithmetic arithmetic : {Arithmetic::fast, Arithmetic::exact, Arithmetic::mixed}) {
    ModelRunner runner(shared_path("fixtures/deepseek-v3-tiny-fp8"), arithmetic, DType::f16);
    EXPECT_EQ(runner.run(ids, 70), runner.run(ids, 3)) << name_of(arithmetic);
  }
}

class ForwardArgumentTest : public testing::Test {
 protected:
  std::string message(const std::vector<int32_t>& tokens, const SequenceSlice& slice,
                      const std::vector<int32_t>& wanted) {
    ModelRunner runner(tiny_.path(), Arithmetic::fast, DType::f16);
    std::vector<float> logits(wanted.size() * runner.vocabulary());
    try {
      runner.model().forward(runner.context(), {tokens, {&slice, 1}, wanted}, runner.cache(), logits.data());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
      return error.what();
    }
    return "";
  }

  const test::TinyModel tiny_{"tiny-qwen2"};
  std::vector<int32_t> blocks_{0, 1};
};

TEST_F(ForwardArgumentTest, WrongBatchesAreRefused) {
  EXPECT_EQ(message({1, 2}, {2, 0, blocks_}, {1}), "");
  EXPECT_EQ(message({1, 512}, {2, 0, blocks_}, {1}), "forward: token: expected 0 to 511, found 512");
  EXPECT_EQ(message({1, -1}, {2, 0, blocks_}, {1}), "forward: token: expected 0 to 511, found -1");
  EXPECT_EQ(message({1, 2}, {3, 0, blocks_}, {1}), "forward: slices hold 3 rows, the batch 2");
  EXPECT_EQ(message({1, 2}, {2, 63, blocks_}, {1}), "forward: slice: expected 3 cache blocks, found 2");
  EXPECT_EQ(message({1, 2}, {2, 0, blocks_}, {2}),
            "forward: output rows: expected ascending ones below 2, found 2 after -1");
  blocks_[0] = 64;
  EXPECT_EQ(message({1, 2}, {2, 0, blocks_}, {1}), "forward: cache block: expected 0 to 63, found 64");
}

TEST_F(ForwardArgumentTest, CancellationStopsBetweenLayers) {
  ModelRunner runner(tiny_.path(), Arithmetic::fast, DType::f16);
  const std::vector<int32_t> tokens{1, 2, 3};
  const std::vector<int32_t> wanted{2};
  const SequenceSlice slice{3, 0, blocks_};
  std::vector<float> logits(runner.vocabulary());
  int asked = 0;
  try {
    runner.model().forward(runner.context(), {tokens, {&slice, 1}, wanted}, runner.cache(), logits.data(),
                           [&] { return ++asked == 2; });
    FAIL() << "not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::cancelled);
  }
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace r1
