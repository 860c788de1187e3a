// Batch invariance with real models: every log-probability of every token, bit for bit, under random
// schedules against each request alone.
#include <gtest/gtest.h>

#include <random>

#include "formats/model_file.h"
#include "kernels/kernels.h"
#include "tests/engine/engine_fixture.h"
#include "tests/shared_folder.h"

namespace r1 {
namespace {

struct Variant {
  const char* file;  // in shared/, or the model that ships
  Arithmetic arithmetic;
  DType cache;
};

class RealModelTest : public testing::TestWithParam<Variant> {};

constexpr const char* kShipped = "models/r1-first-5m-Q8_0.gguf";
constexpr const char* kNeverRepeats = "fixtures/deepseek-v3-tiny-fp8";  // what was drafted from the prompt

std::filesystem::path located(const std::string& file) {
  return file == kShipped ? std::filesystem::path(R1_TEST_FIXTURES) / "../.." / file : shared_path(file);
}

TEST_P(RealModelTest, LogitsDependOnTheRequestAlone) {
  if (GetParam().file != std::string(kShipped)) R1_REQUIRE_SHARED(GetParam().file);
  ThreadPool pool(2);
  Context context(pool, kernels::select_kernels(), GetParam().arithmetic);
  const std::shared_ptr<const Model> model = load_model(ModelFile::open(located(GetParam().file)));
  const auto vocabulary = static_cast<int32_t>(model->info().vocabulary);
  EngineOptions base;
  base.key_dtype = base.value_dtype = GetParam().cache;
  const auto block =
      static_cast<int64_t>(KvCache::block_bytes(model->kv_layers(), base.key_dtype, base.value_dtype));

  std::mt19937_64 random(11);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  int64_t preemptions = 0, reused = 0, accepted = 0;
  for (int schedule = 0; schedule < 4; ++schedule) {
    std::vector<int32_t> stem(pick(40, 60));
    for (int32_t& token : stem) token = static_cast<int32_t>(pick(3, vocabulary - 1));
    // Half of the requests repeat themselves, so that drafts are right at times.
    for (size_t index = 24; index < 40; ++index) stem[index] = stem[index - 12];
    std::vector<Request> requests(6);
    for (Request& request : requests) {
      request.prompt = stem;
      request.prompt.resize(pick(1, std::ssize(stem)));
      if (pick(0, 1) == 0) request.prompt.push_back(static_cast<int32_t>(pick(3, vocabulary - 1)));
      request.max_tokens = pick(10, 50);
      request.speculation = static_cast<int32_t>(pick(0, 8));
      request.sampling.temperature = pick(0, 1) == 0 ? 0 : 0.5F;
      request.sampling.seed = schedule;
      request.sampling.top_log_probabilities = vocabulary;
    }
    EngineOptions options = base;
    options.kv_bytes = pick(5, 8) * block;
    options.batch_tokens = pick(5, 60);
    options.sequences = pick(2, 6);
    Engine engine(model, context, options);
    std::vector<Answer> answers(requests.size());
    for (size_t index = 0; index < requests.size(); ++index) {
      submit(engine, requests[index], answers[index]);
      engine.step();
      engine.check_integrity();
    }
    while (engine.step()) engine.check_integrity();
    preemptions += engine.statistics().preemptions;
    reused += engine.statistics().reused_tokens;
    accepted += engine.statistics().accepted_tokens;

    for (size_t index = 0; index < requests.size(); ++index) {
      SCOPED_TRACE(testing::Message() << "schedule " << schedule << " request " << index);
      EngineOptions plain = base;
      plain.kv_bytes = 8 * block;
      Engine alone(model, context, plain);
      Request request = requests[index];
      request.speculation = 0;
      Answer expected;
      submit(alone, request, expected);
      alone.run();
      ASSERT_EQ(answers[index].summary->error, "");
      ASSERT_EQ(answers[index].tokens, expected.tokens);
      for (size_t place = 0; place < expected.sampled.size(); ++place) {
        const auto& all = answers[index].sampled[place].top;
        const auto& wanted = expected.sampled[place].top;
        ASSERT_EQ(all.size(), wanted.size());
        for (size_t rank = 0; rank < wanted.size(); ++rank) {
          ASSERT_EQ(all[rank].token, wanted[rank].token) << "place " << place;
          ASSERT_EQ(std::bit_cast<uint32_t>(all[rank].log_probability),
                    std::bit_cast<uint32_t>(wanted[rank].log_probability))
              << "place " << place << " token " << wanted[rank].token;
        }
      }
    }
  }
  EXPECT_GT(preemptions, 0);
  EXPECT_GT(reused, 0);
  if (GetParam().file != std::string(kNeverRepeats)) {
    EXPECT_GT(accepted, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, RealModelTest,
    testing::Values(Variant{kShipped, Arithmetic::fast, DType::f16},
                    Variant{"models/stories260k-f32.gguf", Arithmetic::exact, DType::f32},
                    Variant{"models/stories260k-f32.gguf", Arithmetic::fast, DType::f16},
                    Variant{"fixtures/qwen2-tiny/model-Q4_K.gguf", Arithmetic::fast, DType::f16},
                    Variant{"fixtures/qwen2-tiny/model-Q8_0.gguf", Arithmetic::fast, DType::q8_0},
                    Variant{"fixtures/llama3-tiny/model-f32.gguf", Arithmetic::fast, DType::f16},
                    Variant{"fixtures/deepseek-v3-tiny/model-f32.gguf", Arithmetic::fast, DType::f16},
                    Variant{kNeverRepeats, Arithmetic::fast, DType::f16}),
    [](const testing::TestParamInfo<Variant>& parameter) {
      std::string name = fmt::format("{}_{}_{}", parameter.param.file,
                                     parameter.param.arithmetic == Arithmetic::exact ? "exact" : "fast",
                                     r1::name(parameter.param.cache));
      for (char& letter : name) {
        if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
      }
      return name;
    });

}  // namespace
}  // namespace r1
