#include "nn/adapter.h"

#include <stdexcept>

#include "nn/product.h"
#include "nn/tape.h"

namespace r1 {
namespace {

struct Term {
  LinearJob job;  // of the run's rows
  LowRankTerm term;
  const float* lowered = nullptr;  // [rows, rank]: scale · X Aᵀ
  bool whole = false;              // the run is all of the layer's input
};

void backward(Context& context, Tape& tape, const Term& own) {
  const float* gradient = tape.find(own.job.output);
  if (gradient == nullptr) return;
  const Activations& input = own.job.input;
  const LowRankTerm& term = own.term;
  const int64_t outputs = own.job.layer->outputs();
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
  run_product(context,
              {raised, term.rank, 1, term.a, input.columns, 1, target.data, input.columns, term.rank,
               target.accumulate},
              input.rows, input.columns);
  if (float* a_gradient = tape.weight_gradient(term.a)) {
    add_weight_gradient(context, raised, term.rank, term.rank, input.values, input.columns, input.stride,
                        input.rows, a_gradient);
  }
  if (float* b_gradient = tape.weight_gradient(term.b)) {
    add_weight_gradient(context, gradient, outputs, own.job.output_stride, own.lowered, term.rank, term.rank,
                        input.rows, b_gradient);
  }
}

void add_term(Context& context, const LinearJob& job, const LowRankTerm& term, bool whole) {
  const Activations& input = job.input;
  if (input.values == nullptr || job.output_begin != 0 || job.output_end != job.layer->outputs()) {
    throw std::logic_error("low-rank term: expected a whole layer over float32 rows");
  }
  Tape* tape = context.tape();
  Arena::Scope scope(context.arena());
  float* lowered = context.arena().allocate<float>(input.rows * term.rank);
  run_product(
      context,
      {input.values, input.stride, 1, term.a, 1, input.columns, lowered, term.rank, input.columns, false},
      input.rows, term.rank);
  context.kernels().training->scale(lowered, term.scale, input.rows * term.rank);
  run_product(context,
              {lowered, term.rank, 1, term.b, 1, term.rank, job.output, job.output_stride, term.rank, true},
              input.rows, job.layer->outputs());
  if (tape != nullptr) {
    tape->record(
        [tape, own = Term{job, term, lowered, whole}](Context& later) { backward(later, *tape, own); });
  }
}

}  // namespace

void add_low_rank_terms(Context& context, const AdapterRows& rows, const LinearJob& job) {
  const bool all = job.input.rows == rows.all_rows;
  if (!all && job.input.rows != rows.wanted_rows) {
    // Rows of another kind (an expert's): adapters do not reach them, which loading has made sure of.
    return;
  }
  int64_t first = 0;
  for (const AdapterRun& run : all ? rows.all : rows.wanted) {
    const LowRankTerm* term = run.adapter != nullptr ? run.adapter->find(job.layer->weight) : nullptr;
    if (term != nullptr) {
      LinearJob part = job;
      part.input = job.input.slice(first, run.rows);
      part.output += first * job.output_stride;
      add_term(context, part, *term, run.rows == job.input.rows);
    }
    first += run.rows;
  }
}

}  // namespace r1
