#include "nn/cross_entropy.h"

#include <algorithm>
#include <vector>

#include "nn/linear.h"
#include "nn/tape.h"

namespace r1 {
namespace {

constexpr int64_t kMaxRows = 256, kMinRows = 64;
constexpr int64_t kChunkLogits = 20 << 20;

struct Chunk {
  std::vector<int32_t> places;    // of its rows among all
  std::vector<int32_t> targets;   // of these
  const int32_t* rows = nullptr;  // the places on the device
  Activations hidden;             // gathered
  float* logits = nullptr;
};

// Calls body(chunk) for chunks of the rows that have a target.
template <typename Body>
void for_each_chunk(Context& context, const Linear& output, const float* hidden,
                    std::span<const int32_t> targets, const Body& body) {
  const TapeScope no_tape(context, nullptr);         // the backward is written out here
  const AdapterScope no_adapters(context, nullptr);  // they do not reach the output matrix
  const auto rows = static_cast<int64_t>(targets.size());
  const int64_t columns = output.inputs();
  const Linear* layer = &output;
  const int64_t at_once = logit_chunk_rows(output.outputs());
  Arena& arena = context.arena();
  const Arena::Scope scope(arena);
  // Once for all chunks: while a tape holds the arena, nothing is given back.
  float* gathered = arena.allocate<float>(at_once * columns);
  float* logits = arena.allocate<float>(at_once * output.outputs());
  int32_t* places = arena.allocate<int32_t>(at_once);
  int64_t next = 0;
  while (next < rows) {
    Chunk chunk;
    for (; next < rows && std::ssize(chunk.places) < at_once; ++next) {
      if (targets[next] < 0) continue;
      chunk.places.push_back(static_cast<int32_t>(next));
      chunk.targets.push_back(targets[next]);
    }
    const int64_t count = std::ssize(chunk.places);
    if (count == 0) break;
    arena.memory().upload(places, chunk.places.data(), chunk.places.size() * sizeof(int32_t));
    context.backend().take_rows(gathered, hidden, places, count, columns);
    chunk.rows = places;
    chunk.hidden =
        make_activations(context, gathered, count, columns, columns, {{&layer, 1}, Rounding::finest});
    chunk.logits = logits;
    linear(context, output, chunk.hidden, logits);
    body(chunk);
  }
}

void log_probs_of(Context& context, const Chunk& chunk, int64_t vocabulary,
                  const TokenDistribution& distribution, std::span<const float> coefficients,
                  float* log_probs) {
  std::vector<float> values(chunk.places.size());
  std::vector<std::span<const int32_t>> kept;
  if (!distribution.kept.empty()) {
    kept.reserve(chunk.places.size());
    for (const int32_t place : chunk.places) kept.emplace_back(distribution.kept[place]);
  }
  context.backend().log_probs(
      {chunk.logits, std::ssize(chunk.places), vocabulary, chunk.targets, distribution.temperature,
       distribution.known < 0 ? vocabulary : distribution.known, kept, coefficients, values});
  if (log_probs == nullptr) return;
  for (size_t i = 0; i < values.size(); ++i) log_probs[chunk.places[i]] = values[i];
}

}  // namespace

int64_t logit_chunk_rows(int64_t vocabulary) {
  // A multiple of 32, the blocks in which products add rows: so the bits do not depend on it.
  return std::clamp(kChunkLogits / std::max<int64_t>(vocabulary, 1) / 32 * 32, kMinRows, kMaxRows);
}

void token_log_probs(Context& context, const Linear& output, const float* hidden,
                     std::span<const int32_t> targets, float* log_probs,
                     const TokenDistribution& distribution) {
  std::fill_n(log_probs, targets.size(), 0.0F);
  for_each_chunk(context, output, hidden, targets, [&](const Chunk& chunk) {
    log_probs_of(context, chunk, output.outputs(), distribution, {}, log_probs);
  });
}

void token_log_probs_backward(Context& context, Tape& tape, const Linear& output, const float* hidden,
                              std::span<const int32_t> targets, const float* coefficients, float* log_probs,
                              const TokenDistribution& distribution) {
  const auto rows = static_cast<int64_t>(targets.size());
  const int64_t columns = output.inputs(), vocabulary = output.outputs();
  if (log_probs != nullptr) std::fill_n(log_probs, rows, 0.0F);
  float* hidden_gradient = tape.add_to_zeroed(context.arena(), hidden, rows * columns);
  float* weight_gradient = tape.weight_gradient(output.weight.id);
  Arena::Scope scope(context.arena());
  float* chunk_gradient = context.arena().allocate<float>(logit_chunk_rows(vocabulary) * columns);
  for_each_chunk(context, output, hidden, targets, [&](const Chunk& chunk) {
    const int64_t count = std::ssize(chunk.places);
    std::vector<float> factors;
    for (const int32_t place : chunk.places) factors.push_back(coefficients[place]);
    // Logits become the gradient of the loss by them.
    log_probs_of(context, chunk, vocabulary, distribution, factors, log_probs);
    multiply_by_weights(context, output.weight, chunk.logits, count, vocabulary, chunk_gradient, false);
    if (weight_gradient != nullptr) {
      add_weight_gradient(context, chunk.logits, vocabulary, vocabulary, chunk.hidden.values, columns,
                          columns, count, weight_gradient);
    }
    context.backend().add_rows(hidden_gradient, chunk.rows, chunk_gradient, count, columns);
  });
}

}  // namespace r1
