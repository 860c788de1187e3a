// Pages of tensors that lie in mapped files, for the readers of both formats.
#pragma once

#include <span>

#include "base/mapped_file.h"
#include "tensor/tensor_view.h"

namespace r1 {

/// MappedFile::populate and release of the tensor's bytes, in whichever of `mappings` holds them; nothing
/// happens where none does (a copy, memory of the caller's).
void populate_tensor(std::span<const MappedFile> mappings, const TensorView& tensor);
void release_tensor(std::span<const MappedFile> mappings, const TensorView& tensor);

}  // namespace r1
