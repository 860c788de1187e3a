// AlpacaEval 2's length-controlled win rate (Dubois et al. 2024, "Length-Controlled AlpacaEval"): what the judge would have preferred
// had both answers been equally long.
#pragma once

#include <cstdint>
#include <span>

#include "eval/statistics.h"

namespace r1::eval {

/// One instruction with both answers.
struct LengthComparison {
  double preference = 0;  // of the model over the baseline, 0 to 1
  double length_difference =
      0;  // characters: the baseline's less the model's; of the gamed baseline in standard deviations
  double difficulty = 0;  // of the instruction: df_gamed.csv, instruction_difficulty
};

/// Share of wins, 0 to 1, by the logistic model θ + φ·tanh(Δlength/σ) + ψ·difficulty at Δlength = 0, averaged over the instructions; σ
/// is the deviation of the model's differences. `gamed`: the baseline against verbose and concise versions of itself (df_gamed.csv,
/// column std_delta_len as the difference), without θ and with weight 0.1 each (the published form has λ = 0.2 over the two versions). L1
/// regularisation; its strength by five-fold cross-validation over ten powers from 10^−4 to 10^4, as published; folds are
/// by position modulo 5. Interval: bootstraps over instructions with that strength. No comparisons: 0 with the interval 0 to 1.
Estimate length_controlled_win_rate(std::span<const LengthComparison> model,
                                    std::span<const LengthComparison> gamed, uint64_t seed = 0,
                                    int64_t bootstraps = 100);

}  // namespace r1::eval
