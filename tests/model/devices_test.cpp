// Models on a device that is not the CPU: a backend in the plainest words over memory that the host may not
// touch (tests/nn/reference_backend.h) has to give the CPU's results, forward and backward, alone and beside
// the CPU.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "model/decoder.h"
#include "nn/cross_entropy.h"
#include "nn/elementwise.h"
#include "nn/tape.h"
#include "tests/model/model_runner.h"
#include "tests/model/tiny_model.h"
#include "tests/nn/reference_backend.h"

namespace r1 {
namespace {

using test::FencedMemory;
using test::ReferenceBackend;

enum class Where { cpu, device, some_layers, all_but_some_layers };

/// A tiny model somewhere, with all that is needed to run it.
class Machine {
 public:
  Machine(const std::filesystem::path& path, Where where, DType values = DType::f16)
      : placement_(place(where)),
        model_(load(path)),
        context_(make_context(where)),
        cache_(model_->kv_layers(), 8, DType::f32, values, KvCache::Sharing::none, placement_) {}

  const Decoder& model() const { return dynamic_cast<const Decoder&>(*model_); }
  Context& context() { return *context_; }
  KvCache& cache() { return cache_; }
  DeviceMemory& memory() { return *placement_.ends; }

  std::vector<float> forward(const Batch& batch) {
    std::vector<float> logits(batch.output_rows.size() * model_->info().vocabulary);
    model_->forward(*context_, batch, cache_, logits.data());
    return logits;
  }

 private:
  Placement place(Where where) {
    Placement out;
    if (where == Where::device || where == Where::all_but_some_layers) out.ends = &fenced_;
    for (int layer = 0; layer < 2; ++layer) {
      const bool other = layer == 1;
      if (where == Where::some_layers) out.layers.push_back(other ? &fenced_ : &host_memory());
      if (where == Where::all_but_some_layers) out.layers.push_back(other ? &host_memory() : &fenced_);
    }
    return out;
  }

  std::unique_ptr<Model> load(const std::filesystem::path& path) {
    ModelLoadOptions options;
    options.placement = placement_;
    return load_model(ModelFile::open(path), options);
  }

  std::unique_ptr<Context> make_context(Where where) {
    auto device = std::make_unique<ReferenceBackend>(fenced_);
    const kernels::KernelTable& table = kernels::select_kernels();
    if (where == Where::device) return std::make_unique<Context>(pool_, table, std::move(device));
    auto context = std::make_unique<Context>(pool_, table, Arithmetic::exact);
    if (where != Where::cpu) context->add_backend(std::move(device));
    return context;
  }

  FencedMemory fenced_;
  Placement placement_;
  ThreadPool pool_{2};
  std::unique_ptr<Model> model_;
  std::unique_ptr<Context> context_;
  KvCache cache_;
};

std::vector<int32_t> random_tokens(int64_t count, uint64_t seed) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(random_bits(seed, i) % 512);
  return tokens;
}

/// Two sequences, prefill and decode, a block that is copied in between.
std::vector<float> some_logits(Machine& machine) {
  const std::vector<int32_t> first = random_tokens(45, 1), then{7, 8}, wanted{3, 39, 44}, both{0, 1};
  const std::vector<int32_t> one{2, 0}, other{5}, copied{2, 6};
  const SequenceSlice prompts[] = {{40, 0, one}, {5, 0, other}};
  std::vector<float> logits = machine.forward({first, prompts, wanted});
  machine.cache().copy_block(0, 6, 8);
  const SequenceSlice next[] = {{1, 40, copied}, {1, 5, other}};
  const std::vector<float> more = machine.forward({then, next, both});
  logits.insert(logits.end(), more.begin(), more.end());
  return logits;
}

struct Case {
  const char* shape;
  const char* type;
};
void PrintTo(const Case& test_case, std::ostream* out) {
  *out << test_case.shape << " " << test_case.type;
}

class DevicesTest : public testing::TestWithParam<Case> {
 protected:
  const test::TinyModel tiny_{GetParam().shape, GetParam().type};
};

TEST_P(DevicesTest, GiveTheLogitsOfTheCpuWhereverTheLayersAre) {
  Machine cpu(tiny_.path(), Where::cpu);
  const std::vector<float> expected = some_logits(cpu);
  double largest = 0;
  for (const float value : expected) largest = std::max<double>(largest, std::fabs(value));
  EXPECT_GT(largest, 0.5);
  for (const Where where : {Where::device, Where::some_layers, Where::all_but_some_layers}) {
    Machine machine(tiny_.path(), where);
    EXPECT_LT(largest_difference(some_logits(machine), expected), 2e-3 * largest) << static_cast<int>(where);
  }
}

TEST_P(DevicesTest, GiveTheHiddenStatesOfTheCpu) {
  const std::vector<int32_t> tokens = random_tokens(6, 3), blocks{1}, wanted{0, 2, 5};
  const SequenceSlice slice{6, 0, blocks};
  std::vector<float> states[2];
  for (const Where where : {Where::cpu, Where::device}) {
    Machine machine(tiny_.path(), where);
    std::vector<float>& out = states[where == Where::cpu ? 0 : 1];
    out.resize(wanted.size() * machine.model().info().hidden);
    machine.model().hidden_states(machine.context(), {tokens, {&slice, 1}, wanted}, machine.cache(),
                                  out.data());
  }
  EXPECT_LT(largest_difference(states[0], states[1]), 5e-3);
}

INSTANTIATE_TEST_SUITE_P(Models, DevicesTest,
                         testing::Values(Case{"tiny-qwen2", "F32"}, Case{"tiny-qwen2", "Q8_0"},
                                         Case{"tiny-llama", "Q4_K_M"}, Case{"tiny-deepseek", "F32"},
                                         Case{"tiny-deepseek", "Q8_0"}));

/// What one backward pass leaves: log-probabilities, and the gradient of every weight by name.
struct Trained {
  std::vector<float> log_probs;
  std::map<std::string, std::vector<float>> gradients;
};

// Float32 memory of a device with the host's values.
DeviceBytes on_device(DeviceMemory& memory, const std::vector<float>& values) {
  DeviceBytes out(memory, values.size() * sizeof(float), DeviceMemory::Purpose::tensors);
  memory.upload(out.get(), values.data(), out.size());
  return out;
}

float* floats(const DeviceBytes& bytes) {
  return reinterpret_cast<float*>(bytes.get());
}

std::vector<float> read(DeviceMemory& memory, const DeviceBytes& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  memory.download(values.data(), bytes.get(), bytes.size());
  return values;
}

/// A term on the queries' (down) projection of layer 1, on a device, with dropout or a magnitude.
struct DeviceAdapter {
  DeviceAdapter(Machine& machine, const std::string& tensor, bool has_magnitude) {
    DeviceMemory& memory = machine.memory();
    const TensorView& base = *machine.model().file().find(tensor);
    const int64_t outputs = base.rows(), inputs = base.columns();
    const auto add = [&](const std::string& name, int64_t count, double from, double to) {
      values[name] = on_device(memory, test::drawn(count, 40 + values.size(), from, to));
      gradients[name] = on_device(memory, std::vector<float>(static_cast<size_t>(count)));
    };
    add("a", 3 * inputs, -0.2, 0.2);
    add("b", outputs * 3, -0.2, 0.2);
    LowRankTerm term{floats(values["a"]), floats(values["b"]), 3, 0.7F};
    term.a_gradient = floats(gradients["a"]);
    term.b_gradient = floats(gradients["b"]);
    if (has_magnitude) {
      add("magnitude", outputs, 0.5, 1.5);
      add("norms", outputs, 0.5, 1.5);
      term.magnitude = floats(values["magnitude"]);
      term.norms = floats(values["norms"]);
      term.magnitude_gradient = floats(gradients["magnitude"]);
    } else {
      adapter.set_dropout({0.25, 9});
    }
    adapter.add(weight_id(machine.model().file(), tensor), term);
  }

  std::map<std::string, DeviceBytes> values, gradients;
  Adapter adapter;
};

Trained train(Machine& machine, const Adapter* adapter) {
  const Decoder& model = machine.model();
  Context& context = machine.context();
  DeviceMemory& memory = machine.memory();
  std::map<std::string, DeviceBytes> memories;
  WeightGradients gradients;
  for (const TensorView& tensor : model.file().tensors()) {
    DeviceBytes& gradient = memories[tensor.name];
    gradient = on_device(memory, std::vector<float>(static_cast<size_t>(tensor.elements())));
    const int64_t slices = tensor.shape.size() == 3 ? tensor.shape[0] : 1;
    for (int64_t s = 0; s < slices; ++s) {
      gradients[weight_id(model.file(), tensor.name, s)] =
          floats(gradient) + s * (tensor.elements() / slices);
    }
  }
  const std::vector<int32_t> tokens = random_tokens(12, 5), first{0}, second{1};
  std::vector<int32_t> targets = random_tokens(12, 6), rows(12);
  targets[4] = -1;
  std::iota(rows.begin(), rows.end(), 0);
  const SequenceSlice slices[] = {{7, 0, first, adapter}, {5, 0, second, adapter}};
  const std::vector<float> coefficients = test::drawn(12, 7, -1, 1);

  Trained out;
  out.log_probs.resize(12);
  const Arena::Hold hold(context.arena());
  Tape tape(gradients);
  Activations normed;
  {
    const TapeScope recording(context, &tape);
    DecoderPass pass = model.begin(context, {tokens, slices, rows}, machine.cache());
    const AdapterScope adapters(context, pass.plan.adapters);
    for (int64_t layer = 0; layer < model.info().layers; ++layer) {
      model.run_layer(context, layer, pass, machine.cache());
      add_in_place(context, pass.x, pass.addend, pass.rows * model.info().hidden);
      pass.pending = nullptr;
    }
    normed = model.end(context, pass);
  }
  token_log_probs_backward(context, tape, model.weights().output, normed.values, targets, coefficients.data(),
                           out.log_probs.data());
  tape.run_backwards(context);
  for (const auto& [name, bytes] : memories) out.gradients[name] = read(memory, bytes);
  return out;
}

void expect_near(const std::vector<float>& found, const std::vector<float>& expected,
                 const std::string& name) {
  ASSERT_EQ(found.size(), expected.size()) << name;
  double squares = 0, errors = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    squares += std::pow(double{expected[i]}, 2);
    errors += std::pow(double{found[i]} - double{expected[i]}, 2);
  }
  EXPECT_LE(std::sqrt(errors), 2e-5 * std::sqrt(squares)) << name;
}

class DeviceTrainingTest : public testing::TestWithParam<const char*> {};

TEST_P(DeviceTrainingTest, GivesTheGradientsOfTheCpu) {
  const test::TinyModel tiny(GetParam());
  Machine cpu(tiny.path(), Where::cpu, DType::f32), device(tiny.path(), Where::device, DType::f32);
  const Trained expected = train(cpu, nullptr), found = train(device, nullptr);
  EXPECT_LT(largest_difference(found.log_probs, expected.log_probs), 2e-3);
  int64_t trained = 0;
  for (const auto& [name, gradient] : expected.gradients) {
    expect_near(found.gradients.at(name), gradient, name);
    if (std::ranges::any_of(gradient, [](float value) { return value != 0; })) ++trained;
  }
  // All tensors but the frequencies of the rotation and the routers' biases, which have no gradient.
  const auto frozen = std::ranges::count_if(expected.gradients, [](const auto& named) {
    return named.first == "rope_freqs.weight" || named.first.ends_with("exp_probs_b.bias");
  });
  EXPECT_EQ(trained + frozen, std::ssize(expected.gradients));
}

TEST_P(DeviceTrainingTest, GivesTheGradientsOfAdapters) {
  const test::TinyModel tiny(GetParam());
  const std::string tensor =
      std::string(GetParam()) == "tiny-deepseek" ? "blk.1.attn_q_a.weight" : "blk.1.attn_q.weight";
  for (const bool has_magnitude : {false, true}) {
    Machine cpu(tiny.path(), Where::cpu, DType::f32), device(tiny.path(), Where::device, DType::f32);
    DeviceAdapter of_cpu(cpu, tensor, has_magnitude), of_device(device, tensor, has_magnitude);
    const Trained expected = train(cpu, &of_cpu.adapter), found = train(device, &of_device.adapter);
    EXPECT_LT(largest_difference(found.log_probs, expected.log_probs), 2e-3);
    EXPECT_NE(expected.log_probs, train(cpu, nullptr).log_probs);
    for (const std::string name : {"a", "b", "magnitude"}) {
      if (name == "magnitude" && !has_magnitude) continue;
      expect_near(read(device.memory(), of_device.gradients[name]),
                  read(cpu.memory(), of_cpu.gradients[name]), name);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, DeviceTrainingTest,
                         testing::Values("tiny-qwen2", "tiny-llama", "tiny-deepseek"));

TEST(FencedMemoryTest, RefusesTheHostsAddressesAndRangesPastItsOwn) {
  FencedMemory memory;
  float host = 0;
  EXPECT_THROW(memory.here(&host, 1), std::logic_error);
  DeviceBytes bytes(memory, 40, DeviceMemory::Purpose::tensors);
  EXPECT_NO_THROW(memory.here(floats(bytes), 10));
  EXPECT_THROW(memory.here(floats(bytes), 11), std::logic_error);
  EXPECT_THROW(memory.here(floats(bytes) + 10, 1), std::logic_error);
}

TEST(FencedMemoryTest, FaultsUnderTheHand) {
  FencedMemory memory;
  const DeviceBytes bytes(memory, 64, DeviceMemory::Purpose::tensors);
  EXPECT_DEATH(*const_cast<volatile float*>(floats(bytes)) = 1, "");
}

TEST(PlacementTest, AModelOnADeviceThatTheContextDoesNotHaveIsRefused) {
  const test::TinyModel tiny("tiny-qwen2");
  Machine machine(tiny.path(), Where::device);
  ThreadPool pool(1);
  Context context(pool, kernels::select_kernels(), Arithmetic::exact);
  const std::vector<int32_t> tokens{1}, blocks{0}, wanted{0};
  const SequenceSlice slice{1, 0, blocks};
  std::vector<float> logits(512);
  EXPECT_THROW(
      machine.model().forward(context, {tokens, {&slice, 1}, wanted}, machine.cache(), logits.data(), {}),
      Error);
}

}  // namespace
}  // namespace r1
