// AdamW whose mean and mean square are kept in 8 bits: blocks of 256 values in the dynamic type (signed for
// the mean, unsigned for the squares) with the block's largest as scale. A step decodes a block, is AdamW's
// in float32, and encodes it again. Tensors of less than 4096 values are kept in float32. Source: Dettmers et
// al., 8-bit Optimizers via Block-wise Quantization (2021).
#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/dynamic_code.h"
#include "train/adam.h"

namespace r1 {
namespace {

constexpr int64_t kBlock = 256;
constexpr int64_t kLeastCount = 4096;

int64_t blocks_of(int64_t count) {
  return (count + kBlock - 1) / kBlock;
}

// One of the two moments of a parameter: codes and scales, or float32 values in `codes`.
struct Moment {
  AlignedBytes codes;
  AlignedBytes scales;
  size_t code_bytes = 0, scale_bytes = 0;

  uint8_t* code(int64_t at) const { return reinterpret_cast<uint8_t*>(codes.get()) + at; }
  float* scale(int64_t block) const { return reinterpret_cast<float*>(scales.get()) + block; }
  float* exact(int64_t at) const { return reinterpret_cast<float*>(codes.get()) + at; }
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

void decode(const DynamicCode& code, const Moment& moment, int64_t first, int64_t count, float* out) {
  const float scale = *moment.scale(first / kBlock);
  for (int64_t i = 0; i < count; ++i) out[i] = code.value(*moment.code(first + i)) * scale;
}

void encode(const DynamicCode& code, const float* values, int64_t first, int64_t count,
            const Moment& moment) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(values[i]));
  *moment.scale(first / kBlock) = largest;
  const float inverse = largest > 0 ? 1 / largest : 0;
  for (int64_t i = 0; i < count; ++i) *moment.code(first + i) = code.nearest(values[i] * inverse);
}

class AdamW8Bit final : public Optimiser {
 public:
  AdamW8Bit(const OptimiserOptions& options, ParameterStore& store)
      : options_(options), store_(store), pieces_(pieces_of(store)) {
    for (const Parameter& parameter : store.all()) {
      add(means_, parameter, DynamicCode::of_signed());
      add(squares_, parameter, DynamicCode::of_unsigned());
    }
  }

  void step(Context& context, int64_t step, double learning_rate, double gradient_factor) override {
    const kernels::TrainingKernels& training = *context.kernels().training;
    context.parallel_for(static_cast<int64_t>(pieces_.size()), true, [&](int64_t index, int) {
      const ParameterPiece& piece = pieces_[index];
      const Parameter& parameter = store_.all()[piece.parameter];
      const kernels::AdamStep adam = adam_step(options_, parameter, step, learning_rate, gradient_factor);
      const Moment& mean = means_[piece.parameter];
      const Moment& square = squares_[piece.parameter];
      if (is_small(parameter)) {
        training.adam(adam, parameter.values + piece.first, parameter.gradient + piece.first,
                      mean.exact(piece.first), square.exact(piece.first), piece.count);
        return;
      }
      for (int64_t at = piece.first; at < piece.first + piece.count; at += kBlock) {
        const int64_t count = std::min(kBlock, piece.first + piece.count - at);
        float m[kBlock], v[kBlock];
        decode(DynamicCode::of_signed(), mean, at, count, m);
        decode(DynamicCode::of_unsigned(), square, at, count, v);
        training.adam(adam, parameter.values + at, parameter.gradient + at, m, v, count);
        encode(DynamicCode::of_signed(), m, at, count, mean);
        encode(DynamicCode::of_unsigned(), v, at, count, square);
      }
    });
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
  std::vector<ParameterPiece> pieces_;
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
