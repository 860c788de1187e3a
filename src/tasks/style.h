// How a sample is told, whatever its problem: what a base model for reinforcement learning needs, whose habits differ and are
// not all good (docs/pipeline.md, "The small base").
#pragma once

#include "tasks/draw.h"
#include "tasks/problem.h"

namespace r1::tasks {

struct SampleStyle {
  /// Words around the steps: a neutral first line, and a word before each step. A sample without steps thinks too.
  bool narrated = false;
  double mixed = 0;    // share of narrated samples whose words are drawn from both languages
  double unboxed = 0;  // share of answers without a box
  double broken = 0;   // share of answers whose box is broken
};

/// Throws Error(invalid_argument) for shares outside 0 to 1, unboxed and broken together above 1, and mixed without narration.
void check_style(const SampleStyle& style);

/// Changes the trace and the answer's form; the result in the answer stays. Small talk is left as it is.
void apply_style(Problem& problem, const SampleStyle& style, Draw& draw);

}  // namespace r1::tasks
