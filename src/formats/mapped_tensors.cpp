#include "formats/mapped_tensors.h"

#include <algorithm>

namespace r1 {
namespace {

const MappedFile* mapping_of(std::span<const MappedFile> mappings, const TensorView& tensor) {
  const auto holds = [&](const MappedFile& mapping) {
    const auto bytes = mapping.bytes();
    return tensor.data >= bytes.data() && tensor.data < bytes.data() + bytes.size();
  };
  const auto found = std::ranges::find_if(mappings, holds);
  return found == mappings.end() ? nullptr : &*found;
}

}  // namespace

void populate_tensor(std::span<const MappedFile> mappings, const TensorView& tensor) {
  if (const MappedFile* mapping = mapping_of(mappings, tensor))
    mapping->populate({tensor.data, tensor.bytes});
}

void release_tensor(std::span<const MappedFile> mappings, const TensorView& tensor) {
  if (const MappedFile* mapping = mapping_of(mappings, tensor)) mapping->release({tensor.data, tensor.bytes});
}

}  // namespace r1
