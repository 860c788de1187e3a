// The models against logits of independent implementations (shared/fixtures/README.md).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/model/model_runner.h"
#include "tests/read_npy.h"
#include "tests/shared_folder.h"

namespace r1 {
namespace {

struct Fixture {
  std::string folder;
  std::string file;    // empty: the hub directory
  std::string logits;  // the exact answer
  std::string type;    // key of peer_kl_to_exact; empty: none
};

void PrintTo(const Fixture& fixture, std::ostream* out) {
  *out << fixture.folder << "/" << fixture.file;
}

nlohmann::json read_input(const std::string& folder) {
  std::ifstream file(shared_path("fixtures/" + folder + "/input.json"));
  return nlohmann::json::parse(file);
}

class FixtureTest : public testing::TestWithParam<Fixture> {
 protected:
  std::filesystem::path path() const {
    return shared_path("fixtures/" + GetParam().folder + "/" + GetParam().file);
  }
  std::vector<float> reference() const {
    return read_npy(shared_path("fixtures/" + GetParam().folder + "/" + GetParam().logits)).values;
  }
};

constexpr double kTolerance = 1e-3;  // of logits of size 1 to 10, float32 sums in another order

TEST_P(FixtureTest, ExactLogitsAgreeWithTheReference) {
  R1_REQUIRE_SHARED("fixtures/" + GetParam().folder);
  ModelRunner runner(path(), Arithmetic::exact, DType::f32);
  const auto ids = read_input(GetParam().folder)["ids"].get<std::vector<int32_t>>();
  const double difference = largest_difference(runner.run(ids, 1000), reference());
  std::printf("%s/%s: largest difference %.2e\n", GetParam().folder.c_str(), GetParam().file.c_str(),
              difference);
  EXPECT_LT(difference, kTolerance);
}

TEST_P(FixtureTest, FastLogitsDivergeNoMoreThanThePeers) {
  R1_REQUIRE_SHARED("fixtures/" + GetParam().folder);
  ModelRunner runner(path(), Arithmetic::fast, DType::f16);
  const nlohmann::json input = read_input(GetParam().folder);
  const auto ids = input["ids"].get<std::vector<int32_t>>();
  const double divergence = mean_divergence(reference(), runner.run(ids, 1000), runner.vocabulary());
  const double limit =
      GetParam().type.empty() ? 1e-3 : input["peer_kl_to_exact"][GetParam().type].get<double>();
  std::printf("%s/%s: mean KL %.3e, limit %.3e\n", GetParam().folder.c_str(), GetParam().file.c_str(),
              divergence, limit);
  EXPECT_LE(divergence, limit);
}

TEST_P(FixtureTest, ChunksDoNotChangeABit) {
  R1_REQUIRE_SHARED("fixtures/" + GetParam().folder);
  const auto ids = read_input(GetParam().folder)["ids"].get<std::vector<int32_t>>();
  for (const auto& [arithmetic, dtype] :
       {std::pair{Arithmetic::exact, DType::f32}, std::pair{Arithmetic::fast, DType::f16}}) {
    ModelRunner runner(path(), arithmetic, dtype);
    const std::vector<float> whole = runner.run(ids, 1000);
    for (int64_t chunk : {1, 3, 17, 33}) EXPECT_EQ(whole, runner.run(ids, chunk)) << "chunks of " << chunk;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, FixtureTest,
    testing::Values(Fixture{"qwen2-tiny", "", "logits-f32.npy", ""},
                    Fixture{"qwen2-tiny", "model-f32.gguf", "logits-f32.npy", ""},
                    Fixture{"qwen2-tiny", "model-Q8_0.gguf", "logits-Q8_0-exact.npy", "Q8_0"},
                    Fixture{"qwen2-tiny", "model-Q6_K.gguf", "logits-Q6_K-exact.npy", "Q6_K"},
                    Fixture{"qwen2-tiny", "model-Q4_K.gguf", "logits-Q4_K-exact.npy", "Q4_K"},
                    Fixture{"llama3-tiny", "", "logits-f32.npy", ""},
                    Fixture{"llama3-tiny", "model-f32.gguf", "logits-f32.npy", ""},
                    Fixture{"llama3-tiny", "model-Q8_0.gguf", "logits-Q8_0-exact.npy", "Q8_0"},
                    Fixture{"llama3-tiny", "model-Q4_K.gguf", "logits-Q4_K-exact.npy", "Q4_K"},
                    Fixture{"deepseek-v3-tiny", "", "logits.npy", ""},
                    Fixture{"deepseek-v3-tiny", "model-f32.gguf", "logits.npy", ""},
                    Fixture{"deepseek-v3-tiny-fp8", "", "logits.npy", ""}));

}  // namespace
}  // namespace r1
