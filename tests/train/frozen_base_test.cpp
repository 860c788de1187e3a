// Bases that stay quantised: an adapter's gradients over stored weights of any type are, bit for bit, those
// over the same weights decoded.
#include "train/frozen_base.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/random.h"
#include "tensor/nf4.h"
#include "tests/model/tiny_model.h"
#include "tests/shared_folder.h"
#include "tests/train/tiny_training.h"
#include "train/memory_plan.h"
#include "train/trained_adapter.h"
#include "train/trainer.h"

namespace r1 {
namespace {

struct Base {
  const char* path;
  bool nf4 = false;
  std::vector<std::string> targets;
};

void PrintTo(const Base& base, std::ostream* out) {
  *out << base.path << (base.nf4 ? " as NF4" : "");
}

TrainingBatch batch_of_two() {
  TrainingBatch out;
  for (const int64_t rows : {70, 9}) {
    out.sequences.push_back({out.rows(), rows, 0});
    for (int64_t i = 0; i < rows; ++i) {
      out.tokens.push_back(static_cast<int32_t>(random_bits(1, out.tokens.size()) % 512));
      out.targets.push_back(static_cast<int32_t>(random_bits(2, out.targets.size()) % 512));
    }
  }
  return out;
}

class FrozenBaseTest : public testing::TestWithParam<Base> {
 protected:
  /// The gradients of a fixed adapter with the weights of `file`.
  std::vector<float> gradients(const std::shared_ptr<const ModelFile>& file,
                               Arithmetic arithmetic = Arithmetic::exact) {
    Context context(pool_, kernels::select_kernels(), arithmetic);
    const auto model = load_model(file);
    const auto& decoder = dynamic_cast<const Decoder&>(*model);
    const auto adapter = TrainedAdapter::create(*file, {.rank = 3, .targets = GetParam().targets});
    for (Parameter& parameter : adapter->parameters().all()) {
      if (!parameter.name.ends_with("lora_B.weight")) continue;
      for (int64_t i = 0; i < parameter.count; ++i)
        parameter.values[i] = static_cast<float>(0.01 * random_uniform(4, i));
    }
    TrainingCache cache(decoder);
    const TrainingBatch batch = batch_of_two();
    TrainingPass pass(context, decoder, adapter->parameters().gradients(decoder), cache, batch,
                      ActivationStorage::layer_inputs, &adapter->adapter());
    pass.backward(std::vector<float>(batch.tokens.size(), -0.1F));
    std::vector<float> all;
    for (const Parameter& parameter : adapter->parameters().all())
      all.insert(all.end(), parameter.gradient, parameter.gradient + parameter.count);
    return all;
  }

  /// The fixture as the parameter wants it held.
  std::shared_ptr<const ModelFile> open_base(const std::string& path) {
    if (const std::string name = GetParam().path; name.starts_with("tiny-")) {
      const size_t slash = name.find('/');
      tiny_.emplace(name.substr(0, slash), name.substr(slash + 1));
    }
    auto file = ModelFile::open(tiny_ ? tiny_->path() : shared_path(path));
    if (!GetParam().nf4) return file;
    nf4_.emplace(file, pool_);
    return nf4_->file();
  }

  ThreadPool pool_{2};
  std::optional<test::TinyModel> tiny_;
  std::optional<Nf4Base> nf4_;
};

TEST_P(FrozenBaseTest, GradientsAreThoseOverDecodedWeights) {
  const std::string path = std::string("fixtures/") + GetParam().path;
  if (!std::string(GetParam().path).starts_with("tiny-")) R1_REQUIRE_SHARED(path);
  const std::shared_ptr<const ModelFile> stored = open_base(path);
  ParameterStore decoded;
  for (const TensorView& tensor : stored->tensors()) decoded.add_copy(tensor);
  const std::vector<float> over_stored = gradients(stored);
  const std::vector<float> expected = gradients(ModelFile::with_tensors(stored, decoded.views()));
  ASSERT_EQ(over_stored.size(), expected.size());
  EXPECT_EQ(std::memcmp(over_stored.data(), expected.data(), over_stored.size() * sizeof(float)), 0);
  double sum = 0;
  for (const float value : over_stored) sum += value * value;
  EXPECT_GT(sum, 0);
}

TEST_P(FrozenBaseTest, MixedArithmeticIsNearTheExactOne) {
  const std::string path = std::string("fixtures/") + GetParam().path;
  if (!std::string(GetParam().path).starts_with("tiny-")) R1_REQUIRE_SHARED(path);
  const std::shared_ptr<const ModelFile> stored = open_base(path);
  const std::vector<float> exact = gradients(stored), mixed = gradients(stored, Arithmetic::mixed);
  ASSERT_EQ(mixed.size(), exact.size());
  double error = 0, size = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    error += std::pow(static_cast<double>(mixed[i]) - exact[i], 2);
    size += std::pow(static_cast<double>(exact[i]), 2);
  }
  // All layers and both directions together; bfloat16 would round each factor by up to 2e-3.
  EXPECT_LT(std::sqrt(error / size), 2e-3);
  EXPECT_EQ(error > 0, GetParam().nf4 || (!path.ends_with("f32.gguf") && !path.ends_with("/F32")));
}

const std::vector<std::string> kNotRotated{"v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
INSTANTIATE_TEST_SUITE_P(
    Bases, FrozenBaseTest,
    testing::Values(Base{"qwen2-tiny", true, {}}, Base{"llama3-tiny", true, {}},
                    Base{"qwen2-tiny/model-f32.gguf", true, {}}, Base{"qwen2-tiny", false, {}},
                    Base{"qwen2-tiny/model-Q4_K.gguf", false, {}},
                    Base{"qwen2-tiny/model-Q6_K.gguf", false, {}},
                    Base{"qwen2-tiny/model-Q8_0.gguf", false, {}},
                    Base{"llama3-tiny/model-Q4_K.gguf", false, kNotRotated},
                    Base{"deepseek-v3-tiny/model-f32.gguf", false, {}},
                    Base{"deepseek-v3-tiny-fp8", false, {}},
                    // made by the test: "tiny-SHAPE/TYPE"
                    Base{"tiny-qwen2/F32", true, {}}, Base{"tiny-llama/F16", true, {}},
                    Base{"tiny-qwen2/BF16", false, {}}, Base{"tiny-qwen2/Q4_K", false, {}},
                    Base{"tiny-llama/Q6_K", false, {}}, Base{"tiny-llama/Q8_0", false, {}},
                    Base{"tiny-deepseek/F32", false, {}}));

TEST(Nf4Base, TakesFourBitsAWeightAndThePlanSaysSo) {
  const test::TinyModel tiny("tiny-qwen2");
  ThreadPool pool(2);
  const auto base = ModelFile::open(tiny.path());
  const Nf4Base nf4(base, pool);
  size_t bytes = 0, elements = 0, others = 0;
  for (const TensorView& tensor : nf4.file()->tensors()) {
    if (tensor.dtype == DType::nf4) {
      bytes += tensor.bytes;
      elements += static_cast<size_t>(tensor.elements());
    } else {
      others += tensor.bytes;
    }
  }
  // 33 bytes for 64 weights; scales of super-blocks and a mean for each of 14 matrices.
  EXPECT_GE(bytes, elements / 64 * 33 + 14 * 8);
  EXPECT_LE(bytes, elements / 64 * 33 + 14 * 16 + elements / 4096);
  const auto model = load_model(nf4.file());
  EXPECT_EQ(model->info().weight_bytes, bytes + others);
  ParameterStore store;
  const MemoryPlan plan = plan_memory({}, dynamic_cast<const Decoder&>(*model), store);
  EXPECT_EQ(plan.weights, bytes + others);
}

TEST(Nf4Base, RowsOfNoWholeBlocksAreRefusedByName) {
  TrainingOptions options = tiny_options("");
  options.hidden = 48;
  const TinyRun base(options);
  ThreadPool pool(1);
  try {
    Nf4Base(ModelFile::in_memory(tiny_config(options), base.store.views()), pool);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("multiple of 64, found 48"), std::string::npos) << error.what();
  }
}

TEST(Nf4Base, QuantisedAndExpertGgufFilesAreRefusedByTensor) {
  ThreadPool pool(1);
  for (const auto& [shape, type, found] :
       {std::tuple{"tiny-qwen2", "Q4_K", "F32, F16 or BF16"}, std::tuple{"tiny-deepseek", "F32", "blk."}}) {
    const test::TinyModel tiny(shape, type);
    try {
      Nf4Base(ModelFile::open(tiny.path()), pool);
      FAIL() << shape << " accepted";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(found), std::string::npos) << error.what();
    }
  }
}

TEST(Nf4Base, TheLinearLayersOfAGgufFileAreHeld) {
  const test::TinyModel tiny("tiny-qwen2");
  ThreadPool pool(2);
  const Nf4Base gguf(ModelFile::open(tiny.path()), pool);
  int found = 0;
  for (const TensorView& tensor : gguf.file()->tensors()) {
    const bool linear = tensor.shape.size() == 2 && tensor.name.starts_with("blk.");
    EXPECT_EQ(tensor.dtype == DType::nf4, linear) << tensor.name;
    found += linear ? 1 : 0;
  }
  EXPECT_GT(found, 0);
}

}  // namespace
}  // namespace r1
