// Writes a tokenizer into a GGUF file's metadata (keys tokenizer.ggml.*, as the GGUF specification names
// them).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/gguf_writer.h"
#include "formats/vocabulary.h"

namespace r1 {

/// A vocabulary as read from any file. `vocabulary_size`: rows of the model; missing ids are filled with
/// unused tokens, tokens beyond are left out. Returns remarks on what was. Error(unsupported) for what the
/// format cannot say (Tokenizer::lists).
std::vector<std::string> write_vocabulary(GgufWriter& writer, const Vocabulary& vocabulary,
                                          int64_t vocabulary_size);

/// The 256 bytes as tokens, one merge, the R1 family's control tokens and those of its tool calls, then
/// unused tokens up to the size (which must be at least 300); a plain chat template of that family. For
/// synthetic models.
void write_byte_vocabulary(GgufWriter& writer, int64_t vocabulary_size);

/// No vocabulary at all: programs can run the model on token ids only.
void write_no_vocabulary(GgufWriter& writer);

}  // namespace r1
