// Gradients of every parameter against PyTorch's autograd (tools/make_gradient_fixtures.py), and the promises
// of the backward pass: recomputation and threads change no bit, packed sequences do not see each other.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/model_file.h"
#include "tests/model/tiny_model.h"
#include "tests/shared_folder.h"
#include "train/parameters.h"
#include "train/training_pass.h"

namespace r1 {
namespace {

TrainingBatch batch_of(const nlohmann::json& fixture) {
  TrainingBatch batch;
  int64_t sample = 0;
  for (const nlohmann::json& sequence : fixture["sequences"]) {
    const auto tokens = sequence.get<std::vector<int32_t>>();
    const auto rows = static_cast<int64_t>(tokens.size()) - 1;
    batch.sequences.push_back({batch.rows(), rows, sample});
    for (int64_t i = 0; i < rows; ++i) {
      batch.tokens.push_back(tokens[i]);
      const bool counts = sample > 0 || i >= fixture["first_sequence_rows_without_loss"].get<int64_t>();
      batch.targets.push_back(counts ? tokens[i + 1] : -1);
    }
    ++sample;
  }
  return batch;
}

/// A model with all its weights trained.
struct Trained {
  explicit Trained(const std::filesystem::path& path) {
    const auto file = ModelFile::open(path);
    for (const TensorView& tensor : file->tensors()) parameters.add_copy(tensor);
    model = load_model(ModelFile::with_tensors(file, parameters.views()));
  }
  const Decoder& decoder() const { return dynamic_cast<const Decoder&>(*model); }

  ParameterStore parameters;
  std::unique_ptr<Model> model;
};

/// Adds the gradients of the mean loss; returns the loss.
double run(Trained& trained, const TrainingBatch& batch, ActivationStorage storage, int threads,
           std::optional<kernels::InstructionSet> set = std::nullopt) {
  ThreadPool pool(threads);
  Context context(pool, kernels::select_kernels(set), Arithmetic::exact);
  TrainingCache cache(trained.decoder());
  TrainingPass pass(context, trained.decoder(), trained.parameters.gradients(trained.decoder()), cache, batch,
                    storage);
  const std::vector<float> coefficients(batch.tokens.size(),
                                        -1.0F / static_cast<float>(batch.target_count()));
  std::vector<float> log_probs(batch.tokens.size());
  pass.backward(coefficients, log_probs.data());
  double sum = 0;
  for (float value : log_probs) sum -= value;
  return sum / static_cast<double>(batch.target_count());
}

std::vector<float> all_gradients(const ParameterStore& parameters) {
  std::vector<float> all;
  for (const Parameter& parameter : parameters.all())
    all.insert(all.end(), parameter.gradient, parameter.gradient + parameter.count);
  return all;
}

class GradientsTest : public testing::TestWithParam<const char*> {
 protected:
  nlohmann::json fixture() const {
    std::ifstream file(std::string(R1_TEST_FIXTURES) + "/gradients/" + GetParam() + ".json");
    return nlohmann::json::parse(file);
  }
  std::filesystem::path model() const { return shared_path(std::string("fixtures/") + GetParam()); }
};

TEST_P(GradientsTest, AgreeWithPyTorch) {
  R1_REQUIRE_SHARED(std::string("fixtures/") + GetParam());
  const nlohmann::json expected = fixture();
  const TrainingBatch batch = batch_of(expected);
  Trained trained(model());
  EXPECT_NEAR(run(trained, batch, ActivationStorage::layer_inputs, 2), expected["loss"].get<double>(), 1e-5);
  ASSERT_EQ(trained.parameters.all().size(), expected["gradients"].size());
  for (const Parameter& parameter : trained.parameters.all()) {
    const nlohmann::json& reference = expected["gradients"][parameter.name];
    double squares = 0;
    for (int64_t i = 0; i < parameter.count; ++i)
      squares += static_cast<double>(parameter.gradient[i]) * parameter.gradient[i];
    const double norm = reference["norm"];
    EXPECT_NEAR(std::sqrt(squares), norm, 1e-5 * norm + 1e-9) << parameter.name;
    const double typical = norm / std::sqrt(static_cast<double>(parameter.count));
    for (size_t i = 0; i < reference["places"].size(); ++i) {
      const double value = reference["values"][i];
      EXPECT_NEAR(parameter.gradient[reference["places"][i].get<int64_t>()], value,
                  1e-4 * std::fabs(value) + 1e-4 * typical)
          << parameter.name << " " << reference["places"][i];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GradientsTest,
                         testing::Values("qwen2-tiny", "llama3-tiny", "deepseek-v3-tiny"));

/// What needs no reference: over models that the test makes.
class GradientPromisesTest : public testing::TestWithParam<const char*> {
 protected:
  static nlohmann::json fixture() {
    return nlohmann::json::parse(std::ifstream(std::string(R1_TEST_FIXTURES) + "/gradients/qwen2-tiny.json"));
  }
  std::filesystem::path model() const { return tiny_.path(); }
  const test::TinyModel tiny_{GetParam()};
};

TEST_P(GradientPromisesTest, AreTheSameBitsHoweverTheyAreComputed) {
  const TrainingBatch batch = batch_of(fixture());
  std::vector<float> first;
  auto check = [&](ActivationStorage storage, int threads, std::optional<kernels::InstructionSet> set) {
    Trained trained(model());
    run(trained, batch, storage, threads, set);
    const std::vector<float> gradients = all_gradients(trained.parameters);
    if (first.empty()) first = gradients;
    EXPECT_EQ(std::memcmp(first.data(), gradients.data(), first.size() * sizeof(float)), 0) << threads;
  };
  check(ActivationStorage::layer_inputs, 1, std::nullopt);
  check(ActivationStorage::everything, 1, std::nullopt);
  check(ActivationStorage::layer_inputs, 3, std::nullopt);
  check(ActivationStorage::everything, 2, std::nullopt);
  check(ActivationStorage::layer_inputs, 2, kernels::InstructionSet::scalar);
}

TEST_P(GradientPromisesTest, PackedSequencesGiveTheSumOfSingleOnes) {
  const TrainingBatch packed = batch_of(fixture());
  ThreadPool pool(2);
  Context context(pool, kernels::select_kernels(), Arithmetic::exact);
  Trained trained(model());
  TrainingCache cache(trained.decoder());
  TrainingPass pass(context, trained.decoder(), trained.parameters.gradients(trained.decoder()), cache,
                    packed, ActivationStorage::layer_inputs);
  const std::vector<float> together = pass.log_probs();
  for (const PackedSequence& sequence : packed.sequences) {
    TrainingBatch single;
    single.sequences = {sequence};
    single.sequences[0].first_row = 0;
    const auto begin = packed.tokens.begin() + sequence.first_row;
    single.tokens.assign(begin, begin + sequence.rows);
    single.targets.assign(packed.targets.begin() + sequence.first_row,
                          packed.targets.begin() + sequence.first_row + sequence.rows);
    TrainingPass alone(context, trained.decoder(), trained.parameters.gradients(trained.decoder()), cache,
                       single, ActivationStorage::layer_inputs);
    const std::vector<float> log_probs_alone = alone.log_probs();
    EXPECT_TRUE(
        std::equal(log_probs_alone.begin(), log_probs_alone.end(), together.begin() + sequence.first_row));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GradientPromisesTest, testing::ValuesIn(test::kTinyShapes));

}  // namespace
}  // namespace r1
