// Sampling options by the names that OpenAI-compatible servers have for them.
#pragma once

#include <map>
#include <string>

#include "engine/sampling.h"

namespace r1::eval {

/// The shortest decimal number that is this float: 0.6, where a conversion gives 0.60000002384.
double decimal(float value);

/// Those that are not off, besides temperature and top_p: "top_k", "min_p", ….
std::map<std::string, double> further_sampling(const SamplingOptions& options);

}  // namespace r1::eval
