// Rollouts and training agree: what the engine reports of each token is, bit for bit, what a trainer computes
// for the same tokens, however the engine was busy.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <random>
#include <string>
#include <utility>

#include "base/error.h"
#include "engine/engine.h"
#include "formats/model_file.h"
#include "formats/synth.h"
#include "tests/temporary_folder.h"
#include "train/parameters.h"
#include "train/training_pass.h"

namespace r1 {
namespace {

struct Variant {
  const char* shape;
  const char* type;  // of the stored weights
  Arithmetic arithmetic;
};

void PrintTo(const Variant& one, std::ostream* out) {
  *out << one.shape << " " << one.type << (one.arithmetic == Arithmetic::exact ? " exact" : " mixed");
}

std::shared_ptr<const ModelFile> write_model(const test::TemporaryFolder& folder, const Variant& variant) {
  SynthOptions options;
  options.type = variant.type;
  options.threads = 1;
  write_synthetic_gguf(variant.shape, folder / "model.gguf", options);
  return ModelFile::open(folder / "model.gguf");
}

struct Rollout {
  std::vector<int32_t> tokens;  // prompt and answer
  int64_t prompt_tokens = 0;
  std::vector<float> log_probabilities;  // of the answer
};

struct Seen {
  int64_t preemptions = 0, reused = 0, accepted = 0, tokens = 0;
};

/// Random requests with shared beginnings under a random schedule.
std::vector<Rollout> roll_out(const std::shared_ptr<const Model>& model, Context& context, uint64_t seed,
                              int64_t most_tokens, Seen& seen) {
  std::mt19937_64 random(seed);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  const int64_t vocabulary = model->info().vocabulary;
  EngineOptions options;
  options.for_training = true;
  options.batch_tokens = pick(0, 1) == 0 ? pick(2, 20) : pick(21, 120);
  options.sequences = pick(1, 5);
  options.prefix_reuse = pick(0, 5) != 0;
  options.kv_bytes = pick(4, 8) * static_cast<int64_t>(KvCache::block_bytes(
                                      model->kv_layers(), KvCache::kTrainingDtype, KvCache::kTrainingDtype));
  Engine engine(model, context, options);
  std::vector<int32_t> stem(pick(36, 60));
  for (int32_t& token : stem) token = static_cast<int32_t>(pick(3, vocabulary - 1));
  std::vector<Rollout> rollouts(5);
  for (Rollout& rollout : rollouts) {
    Request request;
    request.prompt = stem;
    request.prompt.resize(pick(0, 1) == 0 ? pick(1, std::ssize(stem)) : std::ssize(stem));
    request.max_tokens = pick(5, most_tokens);
    request.speculation = static_cast<int32_t>(pick(0, 8));
    request.sampling.seed = seed;
    request.sampling.temperature = pick(0, 2) == 0 ? 0 : 0.7F;
    request.sampling.top_log_probabilities = 0;
    rollout.tokens = request.prompt;
    rollout.prompt_tokens = std::ssize(request.prompt);
    request.on_token = [&rollout](const SampledToken& token) {
      rollout.tokens.push_back(token.token);
      rollout.log_probabilities.push_back(token.chosen->log_probability);
      return true;
    };
    engine.submit(std::move(request));
    if (pick(0, 1) == 0) engine.step();
  }
  engine.run();
  engine.check_integrity();
  const EngineStatistics statistics = engine.statistics();
  seen.preemptions += statistics.preemptions;
  seen.reused += statistics.reused_tokens;
  seen.accepted += statistics.accepted_tokens;
  seen.tokens += statistics.generated_tokens;
  return rollouts;
}

/// What a trainer computes for the answers' tokens, all sequences in one batch.
std::vector<float> trained(const Decoder& model, Context& context, const std::vector<Rollout>& rollouts,
                           ActivationStorage storage) {
  TrainingBatch batch;
  for (const Rollout& rollout : rollouts) {
    const int64_t rows = std::ssize(rollout.tokens);
    PackedSequence sequence;
    sequence.first_row = batch.rows();
    sequence.rows = rows;
    batch.sequences.push_back(sequence);
    for (int64_t row = 0; row < rows; ++row) {
      batch.tokens.push_back(rollout.tokens[row]);
      const bool counts = row + 1 >= rollout.prompt_tokens && row + 1 < rows;
      batch.targets.push_back(counts ? rollout.tokens[row + 1] : -1);
    }
  }
  const WeightGradients none;
  TrainingCache cache(model);
  TrainingPass pass(context, model, none, cache, batch, storage);
  const std::vector<float> rows = pass.log_probs();
  std::vector<float> result;
  for (int64_t row = 0; row < batch.rows(); ++row) {
    if (batch.targets[row] >= 0) result.push_back(rows[row]);
  }
  return result;
}

class RolloutLogProbabilityTest : public testing::TestWithParam<Variant> {};

TEST_P(RolloutLogProbabilityTest, AreTheTrainersBits) {
  const test::TemporaryFolder folder;
  const std::shared_ptr<const ModelFile> file = write_model(folder, GetParam());
  const std::shared_ptr<const Model> model = load_model(file);
  const auto& decoder = dynamic_cast<const Decoder&>(*model);
  Seen seen;
  using Set = kernels::InstructionSet;
  constexpr std::pair<Set, int> kRuns[] = {{Set::scalar, 2}, {Set::avx2, 1},   {Set::avx2, 3},
                                           {Set::avx2, 4},   {Set::avx512, 1}, {Set::avx512, 2},
                                           {Set::avx512, 3}, {Set::avx512, 4}};
  for (const auto& [set, threads] : kRuns) {
    if (!kernels::is_supported(set)) continue;
    SCOPED_TRACE(testing::Message() << "set " << static_cast<int>(set) << ", " << threads << " threads");
    ThreadPool pool(threads), training_pool(5 - threads);
    Context context(pool, kernels::select_kernels(set), GetParam().arithmetic);
    Context training_context(training_pool, kernels::select_kernels(set), GetParam().arithmetic);
    const std::vector<Rollout> rollouts =
        roll_out(model, context, static_cast<uint64_t>(threads + 10 * static_cast<int>(set)),
                 set == Set::scalar ? 10 : 50, seen);
    std::vector<float> reported;
    for (const Rollout& rollout : rollouts) {
      reported.insert(reported.end(), rollout.log_probabilities.begin(), rollout.log_probabilities.end());
    }
    const ActivationStorage storage =
        threads % 2 == 0 ? ActivationStorage::everything : ActivationStorage::layer_inputs;
    const std::vector<float> expected = trained(decoder, training_context, rollouts, storage);
    ASSERT_EQ(reported.size(), expected.size());
    for (size_t index = 0; index < reported.size(); ++index) {
      ASSERT_EQ(std::bit_cast<uint32_t>(reported[index]), std::bit_cast<uint32_t>(expected[index]))
          << "token " << index << ": " << reported[index] << " and " << expected[index];
    }
    ASSERT_TRUE(std::ranges::any_of(reported, [](float value) { return value < -0.01F; }));
  }
  // The schedules met what they were made for.
  EXPECT_GT(seen.preemptions, 0);
  EXPECT_GT(seen.reused, 0);
  if (GetParam().shape != std::string("tiny-deepseek")) {  // whose random text never repeats itself
    EXPECT_GT(seen.accepted, 0);
  }
  EXPECT_GT(seen.tokens, 300);
}

INSTANTIATE_TEST_SUITE_P(Models, RolloutLogProbabilityTest,
                         testing::Values(Variant{"tiny-qwen2", "F32", Arithmetic::exact},
                                         Variant{"tiny-qwen2", "Q4_K_M", Arithmetic::mixed},
                                         Variant{"tiny-llama", "Q8_0", Arithmetic::exact},
                                         Variant{"tiny-llama", "BF16", Arithmetic::mixed},
                                         Variant{"tiny-deepseek", "Q8_0", Arithmetic::mixed}));

TEST(RolloutTest, AnEngineForTrainingRefusesFastArithmetic) {
  const test::TemporaryFolder folder;
  const std::shared_ptr<const Model> model =
      load_model(write_model(folder, {"tiny-qwen2", "Q8_0", Arithmetic::fast}));
  ThreadPool pool(1);
  Context fast(pool, kernels::select_kernels(), Arithmetic::fast);
  EngineOptions options;
  options.for_training = true;
  EXPECT_THROW(Engine(model, fast, options), Error);
  Context exact(pool, kernels::select_kernels(), Arithmetic::exact);
  options.context_length = 64;
  options.key_dtype = DType::q8_0;
  const Engine engine(model, exact, options);
  EXPECT_EQ(engine.options().key_dtype, DType::f32);
  EXPECT_EQ(engine.options().value_dtype, DType::f32);
}

TEST(RolloutTest, AfterAStepEqualThoseOfAFreshEngine) {
  const test::TemporaryFolder folder;
  const std::shared_ptr<const ModelFile> file = write_model(folder, {"tiny-qwen2", "F32", Arithmetic::exact});
  ParameterStore store;
  for (const TensorView& tensor : file->tensors()) store.add_copy(tensor);
  const std::shared_ptr<const Model> model = load_model(ModelFile::with_tensors(file, store.views()));
  ThreadPool pool(2);
  Context context(pool, kernels::select_kernels(), Arithmetic::exact);
  EngineOptions options;
  options.for_training = true;
  options.context_length = 256;
  const auto answer = [&](Engine& engine) {
    Rollout rollout;
    Request request;
    for (int32_t token = 0; token < 70; ++token) request.prompt.push_back(token * 7 % 500);
    request.max_tokens = 20;
    request.sampling.top_log_probabilities = 0;
    request.on_token = [&rollout](const SampledToken& token) {
      rollout.tokens.push_back(token.token);
      rollout.log_probabilities.push_back(token.chosen->log_probability);
      return true;
    };
    engine.submit(std::move(request));
    engine.run();
    return rollout;
  };
  Engine engine(model, context, options);
  std::vector<float> before;
  for (int step = 0; step < 3; ++step) {
    Engine fresh(model, context, options);
    const Rollout expected = answer(fresh);
    for (int again = 0; again < 2; ++again) {  // the second finds the first one's keys and values
      const Rollout rollout = answer(engine);
      EXPECT_EQ(rollout.tokens, expected.tokens);
      EXPECT_EQ(rollout.log_probabilities, expected.log_probabilities);
    }
    EXPECT_NE(expected.log_probabilities, before) << "the step changes something";
    before = expected.log_probabilities;
    std::mt19937_64 random(step);
    std::normal_distribution<float> normal(0, 0.01F);
    for (Parameter& parameter : store.all()) {
      for (int64_t index = 0; index < parameter.count; ++index) parameter.values[index] += normal(random);
    }
    engine.weights_changed();
  }
}

}  // namespace
}  // namespace r1
