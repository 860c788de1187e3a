// GGUF: any bytes give a file whose tensors lie within them, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/error.h"
#include "formats/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const r1::GgufFile file = r1::GgufFile::parse(bytes, "fuzz.gguf");
    for (const r1::TensorView& tensor : file.tensors()) {
      const auto offset = static_cast<size_t>(tensor.data - bytes.data());
      if (offset > size || tensor.bytes > size - offset) std::abort();
      if (file.find(tensor.name) != &tensor) std::abort();
    }
    for (std::string_view key : file.keys()) {
      // Each of these may refuse the type; none may do worse.
      auto attempt = [&](auto&& read) {
        try {
          (void)read();
        } catch (const r1::Error&) {
        }
      };
      attempt([&] { return file.find_u32(key); });
      attempt([&] { return file.find_i64(key); });
      attempt([&] { return file.find_f32(key); });
      attempt([&] { return file.find_bool(key); });
      attempt([&] { return file.find_string(key); });
      attempt([&] { return file.find_strings(key); });
      attempt([&] { return file.find_f32s(key); });
      attempt([&] { return file.find_i32s(key); });
    }
  } catch (const r1::Error&) {
  }
  return 0;
}
