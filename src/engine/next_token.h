// What follows a sequence, given logits: forced tokens, sampling, and the reasons to stop.
#pragma once

#include <span>

#include "engine/sequence.h"

namespace r1 {

/// Appends the tokens that the logits behind the sequence's last token and behind its drafts decide: one, and
/// one more for each draft that was right. Fills sequence.fresh and, at an end, sequence.finish. `logits`:
/// [1 + drafts, vocabulary]. Returns how many drafts were right. An exception of the sampler or of the
/// request's constraint ends the request with FinishReason::error. Different sequences may be advanced on
/// different threads, each with its own Sampler.
int64_t advance(Sequence& sequence, Sampler& sampler, const float* logits, int64_t vocabulary);

}  // namespace r1
