// Gradients of tiny models of each family against PyTorch's autograd (tools/make_family_fixtures.py).
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/model_file.h"
#include "model/decoder.h"
#include "train/parameters.h"
#include "train/training_pass.h"

namespace r1 {
namespace {

class FamilyGradients : public testing::TestWithParam<const char*> {};

TEST_P(FamilyGradients, AgreeWithPyTorch) {
  const std::filesystem::path folder = std::filesystem::path(R1_TEST_FIXTURES) / "families" / GetParam();
  std::ifstream stream(folder / "reference.json");
  const auto reference = nlohmann::json::parse(stream);
  const auto tokens = reference["tokens"].get<std::vector<int32_t>>();
  TrainingBatch batch;
  const auto rows = static_cast<int64_t>(tokens.size()) - 1;
  batch.sequences.push_back({0, rows, 0});
  batch.tokens.assign(tokens.begin(), tokens.end() - 1);
  batch.targets.assign(tokens.begin() + 1, tokens.end());

  const auto file = ModelFile::open(folder);
  ParameterStore parameters;
  for (const TensorView& tensor : file->tensors()) parameters.add_copy(tensor);
  const auto model = load_model(ModelFile::with_tensors(file, parameters.views()));
  const auto& decoder = dynamic_cast<const Decoder&>(*model);
  ThreadPool pool(2);
  Context context(pool, kernels::select_kernels(std::nullopt), Arithmetic::exact);
  TrainingCache cache(decoder);
  TrainingPass pass(context, decoder, parameters.gradients(decoder), cache, batch,
                    ActivationStorage::layer_inputs);
  const std::vector<float> coefficients(batch.tokens.size(), -1.0F / static_cast<float>(rows));
  std::vector<float> log_probs(batch.tokens.size());
  pass.backward(coefficients, log_probs.data());
  double loss = 0;
  for (float value : log_probs) loss -= value / static_cast<double>(rows);
  EXPECT_NEAR(loss, reference["loss"].get<double>(), 1e-4);

  for (const Parameter& parameter : parameters.all()) {
    const auto& expected = reference["gradients"][parameter.name];
    const double norm = expected["norm"].get<double>();
    double sum = 0;
    for (int64_t i = 0; i < parameter.count; ++i) {
      sum += static_cast<double>(parameter.gradient[i]) * static_cast<double>(parameter.gradient[i]);
    }
    EXPECT_NEAR(std::sqrt(sum), norm, 1e-4 * norm + 1e-7) << parameter.name;
    for (size_t i = 0; i < expected["places"].size(); ++i) {
      const auto place = expected["places"][i].get<size_t>();
      EXPECT_NEAR(parameter.gradient[place], expected["values"][i].get<double>(), 1e-4 * norm + 1e-7)
          << parameter.name << "[" << place << "]";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, FamilyGradients,
                         testing::Values("qwen3-tiny", "qwen3-tied-tiny", "mistral-tiny", "mistral-v3-tiny",
                                         "llama32-tiny", "llama-bias-tiny"));

}  // namespace
}  // namespace r1
