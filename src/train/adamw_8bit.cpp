// AdamW whose mean and mean square are kept in 8 bits: blocks of 256 values in the dynamic type (signed for
// the mean, unsigned for the squares) with the block's largest as scale. A step decodes a block, is AdamW's
// in float32, and encodes it again. Tensors of less than 4096 values are kept in float32. Source: Dettmers et
// al., 8-bit Optimizers via Block-wise Quantization (2021).
#include <cstring>

#include "tensor/dynamic_code.h"
#include "train/adam.h"

namespace r1 {
namespace {

constexpr int64_t kLeastCount = 4096;

int64_t blocks_of(int64_t count) {
  return (count + kMomentBlock - 1) / kMomentBlock;
}

// One of the two moments of a parameter: codes and scales, or float32 values in `codes`.
struct Moment {
  AlignedBytes codes;
  AlignedBytes scales;
  size_t code_bytes = 0, scale_bytes = 0;

  AdamMoment of_step() const {
    if (scale_bytes == 0) return {.values = reinterpret_cast<float*>(codes.get())};
    return {.codes = reinterpret_cast<uint8_t*>(codes.get()),
            .scales = reinterpret_cast<float*>(scales.get())};
  }
};

bool is_small(const Parameter& parameter) {
  return parameter.count < kLeastCount;
}

size_t code_bytes(const Parameter& parameter) {
  return static_cast<size_t>(parameter.count) * (is_small(parameter) ? sizeof(float) : 1);
}

size_t scale_bytes(const Parameter& parameter) {
  return is_small(parameter) ? 0 : static_cast<size_t>(blocks_of(parameter.count)) * sizeof(float);
}

class AdamW8Bit final : public Optimiser {
 public:
  AdamW8Bit(const OptimiserOptions& options, ParameterStore& store) : options_(options), store_(store) {
    for (const Parameter& parameter : store.all()) {
      add(means_, parameter, DynamicCode::of_signed());
      add(squares_, parameter, DynamicCode::of_unsigned());
    }
  }

  void step(Context& context, int64_t step, double learning_rate, double gradient_factor) override {
    std::vector<AdamTensor> tensors;
    tensors.reserve(store_.all().size());
    for (size_t i = 0; i < store_.all().size(); ++i) {
      AdamTensor& tensor = tensors.emplace_back(adam_tensor(options_, store_.all()[i], learning_rate));
      tensor.mean = means_[i].of_step();
      tensor.square = squares_[i].of_step();
    }
    AdamCall adam = adam_call(options_, step, gradient_factor);
    adam.tensors = tensors;
    context.backend().adam(adam);
  }

  std::vector<StateArray> state() override {
    std::vector<StateArray> arrays;
    for (size_t i = 0; i < store_.all().size(); ++i) {
      for (const auto& [kind, moment] : {std::pair{"mean", &means_[i]}, {"square", &squares_[i]}}) {
        const std::string name = std::string("adam8.") + kind;
        arrays.push_back({name + "/" + store_.all()[i].name, {moment->codes.get(), moment->code_bytes}});
        if (moment->scale_bytes == 0) continue;
        arrays.push_back(
            {name + ".scale/" + store_.all()[i].name, {moment->scales.get(), moment->scale_bytes}});
      }
    }
    return arrays;
  }

 private:
  static void add(std::vector<Moment>& moments, const Parameter& parameter, const DynamicCode& code) {
    Moment& moment = moments.emplace_back();
    moment.code_bytes = code_bytes(parameter);
    moment.scale_bytes = scale_bytes(parameter);
    moment.codes = allocate_aligned(moment.code_bytes);
    std::memset(moment.codes.get(), is_small(parameter) ? 0 : code.nearest(0), moment.code_bytes);
    if (moment.scale_bytes == 0) return;
    moment.scales = allocate_aligned(moment.scale_bytes);
    std::memset(moment.scales.get(), 0, moment.scale_bytes);
  }

  OptimiserOptions options_;
  ParameterStore& store_;
  std::vector<Moment> means_, squares_;
};

}  // namespace

std::unique_ptr<Optimiser> make_adamw_8bit(const OptimiserOptions& options, ParameterStore& store) {
  return std::make_unique<AdamW8Bit>(options, store);
}

size_t adamw_8bit_bytes(const ParameterStore& store) {
  size_t bytes = 0;
  for (const Parameter& parameter : store.all())
    bytes += 2 * (code_bytes(parameter) + scale_bytes(parameter));
  return bytes;
}

}  // namespace r1
