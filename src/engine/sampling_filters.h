// What narrows the choice after the temperature: typical, top-p, min-p; and the draw.
#pragma once

#include <cstdint>
#include <vector>

namespace r1 {

/// A token that may still be chosen. Lists of candidates are in ascending order of tokens.
struct Candidate {
  int32_t token;
  float logit;   // before the temperature
  float weight;  // proportional to its probability
  double key;    // scratch of the filters
};

/// The sum of the candidates' weights.
double sum_weights(const std::vector<Candidate>& candidates);

/// Keeps the most likely candidates, including the one that crosses `target` = top_p × the total weight of all
/// tokens, candidates or not. Always keeps at least one. Of equal logits, lower ids count as more likely
/// (Holtzman et al., 2020).
void keep_top_p(std::vector<Candidate>& candidates, double target);

/// Keeps the candidates whose surprise is nearest to the entropy, until they hold `share` of the weight (Meister
/// et al., Locally Typical Sampling, 2022).
void keep_typical(std::vector<Candidate>& candidates, double share);

/// Keeps candidates of at least `ratio` times the largest weight (Nguyen et al., 2024).
void keep_min_p(std::vector<Candidate>& candidates, float ratio);

/// The candidate at `uniform` in [0, 1) of the summed weights.
int32_t draw(const std::vector<Candidate>& candidates, double uniform);

}  // namespace r1
