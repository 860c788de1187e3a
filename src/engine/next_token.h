// What follows a sequence, given logits: forced tokens, sampling, and the reasons to stop.
#pragma once

#include <span>

#include "engine/sequence.h"

namespace r1 {

/// Chooses and appends the next tokens: one, plus one for each draft that was right. `logits`: [1 + drafts,
/// vocabulary], those after the sequence's last token and after each draft. Fills sequence.fresh and, at an end,
/// sequence.finish. Returns the number of right drafts. An exception of the sampler or of the request's
/// constraint ends the request with FinishReason::error. Sequences may be advanced on several threads at once,
/// with a Sampler for each thread.
int64_t advance(Sequence& sequence, Sampler& sampler, const float* logits, int64_t vocabulary);

}  // namespace r1
