// What an engine refuses, and what it fills in.
#pragma once

#include "engine/engine_options.h"
#include "engine/request.h"
#include "model/model.h"

namespace r1 {

/// Fills in the zeros from the model. Throws Error(invalid_argument) for options that make no sense, and for
/// those that the arithmetic cannot keep.
EngineOptions complete_options(EngineOptions options, const Model& model, Arithmetic arithmetic);

/// Throws Error(invalid_argument) that names the field, what was expected and what was found;
/// Error(context_overflow) with the numbers when the request does not fit into the context. `vocabulary`:
/// rows of the model's output; `options`: complete.
void check_request(const Request& request, int64_t vocabulary, const EngineOptions& options);

}  // namespace r1
