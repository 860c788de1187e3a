#include "nn/adapter.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/random.h"
#include "nn/product.h"
#include "nn/tape.h"

namespace r1 {
namespace {

constexpr int64_t kSmallLoop = 16384;
constexpr int64_t kColumns = 64;  // of a task over columns

struct Term {
  LinearJob job;  // of the run's rows
  LowRankTerm term;
  const float* seen = nullptr;       // [rows, inputs]: what A saw; its stride is the input's
  const float* lowered = nullptr;    // [rows, rank]: scale · X Aᵀ
  const float* direction = nullptr;  // [rows, outputs], with a magnitude: W x + scale · B A x
  Dropout dropout;
  int64_t first_row = 0;  // of the run, in the batch
  bool whole = false;     // the run is all of the layer's input
};

// Gradient of the magnitude; the output's becomes that of W x + scale · B A x, in place.
void magnitude_backward(Context& context, Tape& tape, const Term& own, float* gradient) {
  const LowRankTerm& term = own.term;
  const int64_t outputs = own.job.layer->outputs();
  const int64_t rows = own.job.input.rows;
  float* magnitude_gradient = tape.weight_gradient(term.magnitude);
  const int64_t tasks = (outputs + kColumns - 1) / kColumns;
  context.parallel_for(tasks, rows * outputs > kSmallLoop, [&](int64_t task, int) {
    const int64_t begin = task * kColumns, end = std::min(outputs, begin + kColumns);
    for (int64_t row = 0; row < rows; ++row) {
      float* slope = gradient + row * own.job.output_stride;
      for (int64_t o = begin; o < end; ++o) {
        if (magnitude_gradient != nullptr)
          magnitude_gradient[o] += slope[o] * own.direction[row * outputs + o] / term.norms[o];
        slope[o] *= term.magnitude[o] / term.norms[o];
      }
    }
  });
}

// target (+)= the gradient through A's input: raised · A, through the dropout.
void input_backward(Context& context, const Term& own, const float* raised, const Tape::Target& target) {
  const LowRankTerm& term = own.term;
  const int64_t rows = own.job.input.rows, columns = own.job.input.columns;
  if (own.dropout.rate == 0) {
    run_product(
        context,
        {raised, term.rank, 1, term.a, columns, 1, target.data, columns, term.rank, target.accumulate}, rows,
        columns);
    return;
  }
  Arena::Scope scope(context.arena());
  float* change = context.arena().allocate<float>(rows * columns);
  run_product(context, {raised, term.rank, 1, term.a, columns, 1, change, columns, term.rank, false}, rows,
              columns);
  context.parallel_for(rows, rows * columns > kSmallLoop, [&](int64_t row, int thread) {
    auto* factors = reinterpret_cast<float*>(context.thread_scratch(thread, columns * sizeof(float)));
    dropout_factors(own.dropout, term.number, (own.first_row + row) * columns, columns, factors);
    float* out = target.data + row * columns;
    for (int64_t c = 0; c < columns; ++c) {
      const float value = change[row * columns + c] * factors[c];
      out[c] = target.accumulate ? out[c] + value : value;
    }
  });
}

void backward(Context& context, Tape& tape, const Term& own) {
  float* gradient = tape.find(own.job.output);
  if (gradient == nullptr) return;
  const Activations& input = own.job.input;
  const LowRankTerm& term = own.term;
  const int64_t outputs = own.job.layer->outputs();
  if (own.direction != nullptr) magnitude_backward(context, tape, own, gradient);
  Arena& arena = context.arena();
  const Tape::Target target = tape.add_to(arena, input.values, input.rows * input.columns);
  if (!own.whole && !target.accumulate) {
    throw std::logic_error("low-rank term: a tape records one adapter for all rows");
  }
  Arena::Scope scope(arena);
  // scale · dY B
  float* raised = arena.allocate<float>(input.rows * term.rank);
  run_product(context,
              {gradient, own.job.output_stride, 1, term.b, term.rank, 1, raised, term.rank, outputs, false},
              input.rows, term.rank);
  context.kernels().training->scale(raised, term.scale, input.rows * term.rank);
  input_backward(context, own, raised, target);
  if (float* a_gradient = tape.weight_gradient(term.a)) {
    add_weight_gradient(context, raised, term.rank, term.rank, own.seen, input.columns, input.stride,
                        input.rows, a_gradient);
  }
  if (float* b_gradient = tape.weight_gradient(term.b)) {
    add_weight_gradient(context, gradient, outputs, own.job.output_stride, own.lowered, term.rank, term.rank,
                        input.rows, b_gradient);
  }
}

// The input with some elements zeroed; rows as far apart as the input's. Memory from the arena.
const float* drop(Context& context, const Term& own) {
  const Activations& input = own.job.input;
  if (own.dropout.rate == 0) return input.values;
  float* out = context.arena().allocate<float>(input.rows * input.stride);
  context.parallel_for(input.rows, input.rows * input.columns > kSmallLoop, [&](int64_t row, int) {
    float* to = out + row * input.stride;
    dropout_factors(own.dropout, own.term.number, (own.first_row + row) * input.columns, input.columns, to);
    for (int64_t c = 0; c < input.columns; ++c) to[c] *= input.values[row * input.stride + c];
  });
  return out;
}

void apply_magnitude(Context& context, const Term& own, float* direction) {
  const LinearJob& job = own.job;
  const int64_t outputs = job.layer->outputs();
  const float* bias = job.layer->bias;
  context.parallel_for(job.input.rows, job.input.rows * outputs > kSmallLoop, [&](int64_t row, int) {
    float* out = job.output + row * job.output_stride;
    for (int64_t o = 0; o < outputs; ++o) {
      const float shift = bias != nullptr ? bias[o] : 0;
      const float value = out[o] - shift;
      if (direction != nullptr) direction[row * outputs + o] = value;
      out[o] = own.term.magnitude[o] / own.term.norms[o] * value + shift;
    }
  });
}

void add_term(Context& context, Term own) {
  const LinearJob& job = own.job;
  const Activations& input = job.input;
  const LowRankTerm& term = own.term;
  if (input.values == nullptr || job.output_begin != 0 || job.output_end != job.layer->outputs()) {
    throw std::logic_error("low-rank term: expected a whole layer over float32 rows");
  }
  Tape* tape = context.tape();
  Arena::Scope scope(context.arena());
  own.seen = drop(context, own);
  float* lowered = context.arena().allocate<float>(input.rows * term.rank);
  run_product(context,
              {own.seen, input.stride, 1, term.a, 1, input.columns, lowered, term.rank, input.columns, false},
              input.rows, term.rank);
  context.kernels().training->scale(lowered, term.scale, input.rows * term.rank);
  if (tape == nullptr || !is_unread(context, job)) {
    run_product(context,
                {lowered, term.rank, 1, term.b, 1, term.rank, job.output, job.output_stride, term.rank, true},
                input.rows, job.layer->outputs());
  }
  own.lowered = lowered;
  if (term.magnitude != nullptr) {
    float* direction =
        tape != nullptr ? context.arena().allocate<float>(input.rows * job.layer->outputs()) : nullptr;
    apply_magnitude(context, own, direction);
    own.direction = direction;
  }
  if (tape != nullptr) {
    tape->record([tape, own](Context& later) { backward(later, *tape, own); });
  }
}

}  // namespace

void dropout_factors(const Dropout& dropout, uint64_t term, int64_t first, int64_t count, float* out) {
  const uint64_t stream = mix_bits(dropout.stream ^ mix_bits(term));
  const auto limit = static_cast<uint64_t>(std::lround(dropout.rate * 65536));
  const auto kept = static_cast<float>(65536.0 / (65536.0 - static_cast<double>(limit)));
  uint64_t bits = 0;  // four draws
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at = first + i;
    if (i == 0 || at % 4 == 0) bits = random_bits(stream, static_cast<uint64_t>(at / 4)) >> (at % 4 * 16);
    out[i] = (bits & 0xffff) < limit ? 0.0F : kept;
    bits >>= 16;
  }
}

bool is_unread(const Context& context, const LinearJob& job) {
  if (!context.tape()->is_unread(job.output)) return false;
  const AdapterRows* rows = context.adapters();
  return rows == nullptr || std::ranges::none_of(rows->all, [&](const AdapterRun& run) {
           const std::span<const LowRankTerm> terms =
               run.adapter != nullptr ? run.adapter->find(job.layer->weight) : std::span<const LowRankTerm>();
           return std::ranges::any_of(terms, [](const LowRankTerm& own) { return own.magnitude != nullptr; });
         });
}

void add_low_rank_terms(Context& context, const AdapterRows& rows, const LinearJob& job) {
  const bool all = job.input.rows == rows.all_rows;
  if (!all && job.input.rows != rows.wanted_rows) {
    // Rows of another kind (an expert's): adapters do not reach them, which loading has made sure of.
    return;
  }
  int64_t first = 0;
  for (const AdapterRun& run : all ? rows.all : rows.wanted) {
    const std::span<const LowRankTerm> terms =
        run.adapter != nullptr ? run.adapter->find(job.layer->weight) : std::span<const LowRankTerm>();
    for (const LowRankTerm& term : terms) {
      Term own;
      own.job = job;
      own.job.input = job.input.slice(first, run.rows);
      own.job.output += first * job.output_stride;
      own.term = term;
      own.dropout = run.adapter->dropout();
      own.first_row = first;
      own.whole = run.rows == job.input.rows;
      add_term(context, own);
    }
    first += run.rows;
  }
}

}  // namespace r1
