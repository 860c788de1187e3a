// Writes GGUF files with an adapter: the adapter alone (llama.cpp's form, model/stored_adapter.h), or a base with the
// adapter merged into it.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "formats/gguf.h"
#include "model/low_rank_adapter.h"
#include "model/peft_files.h"

namespace r1 {

/// `tensors`: by hub names, B's rows in the order of the base's GGUF file. `architecture`: general.architecture of the
/// base. Error(unsupported) for DoRA and for a tensor that GGUF has no name for.
void write_gguf_adapter(const std::filesystem::path& path, const std::string& architecture,
                        const AdapterSettings& settings, std::span<const AdapterTensor> tensors);

/// The base's metadata and tensors, the ones with a term replaced by their sums. `type`: of these; nothing: as in the
/// base where that is F32, F16, BF16 or Q8_0, else Q8_0, so that little of the change is lost. Gives how many changed.
int64_t write_merged_gguf(const std::filesystem::path& path, const GgufFile& base, const ModelFile& file,
                          const LowRankAdapter& adapter, std::optional<DType> type);

}  // namespace r1
