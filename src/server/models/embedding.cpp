#include "server/models/embedding.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace r1::server {
namespace {

constexpr int64_t kPiece = 256;  // tokens of a pass

}  // namespace

EmbeddingPass::EmbeddingPass(const Model& model, Context& context, std::vector<int32_t> tokens,
                             DType key_dtype, DType value_dtype)
    : model_(model),
      context_(context),
      tokens_(std::move(tokens)),
      sequence_(model, std::ssize(tokens_), key_dtype, value_dtype),
      sum_(static_cast<size_t>(model.info().hidden), 0.0) {}

bool EmbeddingPass::step() {
  const int64_t rows = std::min(kPiece, std::ssize(tokens_) - done_);
  std::vector<int32_t> wanted(static_cast<size_t>(rows));
  std::iota(wanted.begin(), wanted.end(), 0);
  const SequenceSlice slice = sequence_.slice(rows, done_);
  const Batch batch{std::span(tokens_).subspan(static_cast<size_t>(done_), static_cast<size_t>(rows)),
                    std::span(&slice, 1), wanted};
  const auto hidden = static_cast<int64_t>(sum_.size());
  std::vector<float> states(static_cast<size_t>(rows * hidden));
  model_.hidden_states(context_, batch, sequence_.cache(), states.data());
  for (size_t i = 0; i < states.size(); ++i) sum_[i % sum_.size()] += states[i];
  done_ += rows;
  return done_ == std::ssize(tokens_);
}

std::vector<float> EmbeddingPass::result() const {
  // The mean's scale goes with its length.
  double square = 0;
  for (const double value : sum_) square += value * value;
  const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
  std::vector<float> vector(sum_.size());
  std::ranges::transform(sum_, vector.begin(),
                         [&](double value) { return static_cast<float>(value * scale); });
  return vector;
}

}  // namespace r1::server
