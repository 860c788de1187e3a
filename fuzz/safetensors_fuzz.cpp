// Safetensors: any bytes give a file whose tensors hold as many bytes as their shape says, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/error.h"
#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto file = r1::SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "fuzz.safetensors");
    unsigned sum = 0;
    for (const r1::TensorView& tensor : file.tensors()) {
      if (tensor.bytes > size || file.find(tensor.name) != &tensor) std::abort();
      if (static_cast<size_t>(tensor.elements()) * r1::info(tensor.dtype).block_bytes != tensor.bytes)
        std::abort();
      for (size_t i = 0; i < tensor.bytes; ++i) sum += static_cast<unsigned>(tensor.data[i]);
    }
    volatile unsigned sink = sum;  // every byte was read
    (void)sink;
  } catch (const r1::Error&) {
  }
  return 0;
}
