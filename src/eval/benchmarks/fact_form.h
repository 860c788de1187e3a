// Questions of fact whose answers a judge model compares with a reference.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "eval/benchmark.h"

namespace r1::eval {

/// SimpleQA's three grades (A, B, C), asked for in a prompt of our own. Metrics: the share of A, of B, of C, of A among the attempted, and
/// SimpleQA's f1, their harmonic mean with the share of A. The caller sets name, title, data, protocol.
Benchmark fact_form();

/// A verdict for a sample whose judge has not been asked, or whose replies decide nothing.
Verdict undecided(const std::string& reason);

}  // namespace r1::eval
