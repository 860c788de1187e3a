#include "nn/adapter.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/random.h"
#include "nn/tape.h"

namespace r1 {
namespace {

// A term on the rows of one run.
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

// target (+)= the gradient through A's input: raised · A, through the dropout.
void input_backward(Context& context, const Term& run, const float* raised, const Tape::Target& target) {
  const LowRankTerm& term = run.term;
  const int64_t rows = run.job.input.rows, columns = run.job.input.columns;
  if (run.dropout.rate == 0) {
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
  context.backend().dropout({run.dropout, term.number, run.first_row, change, columns, rows, columns,
                             target.data, columns, target.accumulate});
}

void backward(Context& context, Tape& tape, const Term& run) {
  float* gradient = tape.find(run.job.output);
  if (gradient == nullptr) return;
  const Activations& input = run.job.input;
  const LowRankTerm& term = run.term;
  const int64_t outputs = run.job.layer->outputs();
  if (run.direction != nullptr) {
    context.backend().magnitude_backward({term.magnitude, term.norms, run.direction, gradient,
                                          run.job.output_stride, input.rows, outputs,
                                          term.magnitude_gradient});
  }
  Arena& arena = context.arena();
  const Tape::Target target = tape.add_to(arena, input.values, input.rows * input.columns);
  if (!run.whole && !target.accumulate) {
    throw std::logic_error("low-rank term: a tape records one adapter for all rows");
  }
  Arena::Scope scope(arena);
  // scale · dY B
  float* raised = arena.allocate<float>(input.rows * term.rank);
  run_product(context,
              {gradient, run.job.output_stride, 1, term.b, term.rank, 1, raised, term.rank, outputs, false},
              input.rows, term.rank);
  context.backend().scale(raised, term.scale, input.rows * term.rank);
  input_backward(context, run, raised, target);
  if (term.a_gradient != nullptr) {
    add_weight_gradient(context, raised, term.rank, term.rank, run.seen, input.columns, input.stride,
                        input.rows, term.a_gradient);
  }
  if (term.b_gradient != nullptr) {
    add_weight_gradient(context, gradient, outputs, run.job.output_stride, run.lowered, term.rank, term.rank,
                        input.rows, term.b_gradient);
  }
}

// The input with some elements zeroed; rows as far apart as the input's. Memory from the arena.
const float* drop(Context& context, const Term& run) {
  const Activations& input = run.job.input;
  if (run.dropout.rate == 0) return input.values;
  float* out = context.arena().allocate<float>(input.rows * input.stride);
  context.backend().dropout({run.dropout, run.term.number, run.first_row, input.values, input.stride,
                             input.rows, input.columns, out, input.stride, false});
  return out;
}

void add_term(Context& context, Term run) {
  const LinearJob& job = run.job;
  const Activations& input = job.input;
  const LowRankTerm& term = run.term;
  const int64_t outputs = job.layer->outputs();
  if (input.values == nullptr || job.output_begin != 0 || job.output_end != outputs) {
    throw std::logic_error("low-rank term: expected a whole layer over float32 rows");
  }
  Tape* tape = context.tape();
  Arena& arena = context.arena();
  Arena::Scope scope(arena);
  run.seen = drop(context, run);
  float* lowered = arena.allocate<float>(input.rows * term.rank);
  run_product(context,
              {run.seen, input.stride, 1, term.a, 1, input.columns, lowered, term.rank, input.columns, false},
              input.rows, term.rank);
  context.backend().scale(lowered, term.scale, input.rows * term.rank);
  if (tape == nullptr || !is_unread(context, job)) {
    run_product(context,
                {lowered, term.rank, 1, term.b, 1, term.rank, job.output, job.output_stride, term.rank, true},
                input.rows, outputs);
  }
  run.lowered = lowered;
  if (term.magnitude != nullptr) {
    float* direction = tape != nullptr ? arena.allocate<float>(input.rows * outputs) : nullptr;
    context.backend().magnitude({term.magnitude, term.norms, job.layer->bias.values, job.output,
                                 job.output_stride, input.rows, outputs, direction});
    run.direction = direction;
  }
  if (tape != nullptr) {
    tape->record([tape, run](Context& later) { backward(later, *tape, run); });
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
           const std::span<const LowRankTerm> terms = run.adapter != nullptr
                                                          ? run.adapter->find(job.layer->weight.id)
                                                          : std::span<const LowRankTerm>();
           return std::ranges::any_of(terms,
                                      [](const LowRankTerm& term) { return term.magnitude != nullptr; });
         });
}

void add_low_rank_terms(Context& context, const AdapterRows& rows, const LinearJob& job) {
  if (job.input.row_set == RowSet::other) return;
  int64_t first = 0;
  for (const AdapterRun& run : job.input.row_set == RowSet::all ? rows.all : rows.wanted) {
    const std::span<const LowRankTerm> terms =
        run.adapter != nullptr ? run.adapter->find(job.layer->weight.id) : std::span<const LowRankTerm>();
    for (const LowRankTerm& term : terms) {
      Term part;
      part.job = job;
      part.job.input = job.input.slice(first, run.rows);
      part.job.output += first * job.output_stride;
      part.term = term;
      part.dropout = run.adapter->dropout();
      part.first_row = first;
      part.whole = run.rows == job.input.rows;
      add_term(context, part);
    }
    first += run.rows;
  }
}

}  // namespace r1
