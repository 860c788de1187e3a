// Writes a tokenizer into a GGUF file's metadata (keys tokenizer.ggml.*, as the GGUF specification names
// them).
#pragma once

#include <cstdint>
#include <filesystem>

#include "formats/gguf_writer.h"

namespace r1 {

/// From a hub directory's tokenizer.json, tokenizer_config.json and chat template. `vocabulary_size` is the
/// model's: missing ids are filled with unused tokens. Error(bad_file) when the directory has no
/// tokenizer.json or it is damaged or larger than the model's vocabulary, Error(unsupported) for a tokenizer
/// other than the byte-level BPE of Qwen2, Llama 3 and DeepSeek-V3.
void write_tokenizer_metadata(GgufWriter& writer, const std::filesystem::path& directory,
                              int64_t vocabulary_size);

/// The 256 bytes as tokens, one merge, the R1 family's control tokens and those of its tool calls, then
/// unused tokens up to the size (which must be at least 300); a plain chat template of that family. For
/// synthetic models.
void write_byte_vocabulary(GgufWriter& writer, int64_t vocabulary_size);

/// No vocabulary at all: programs can run the model on token ids only.
void write_no_vocabulary(GgufWriter& writer);

}  // namespace r1
