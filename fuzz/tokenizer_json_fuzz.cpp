// Any bytes as a tokenizer.json: an Error or a tokenizer that encodes and decodes without a crash.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try {
    const r1::Tokenizer tokenizer = r1::Tokenizer::from_hub(input);
    const auto ids = tokenizer.encode(input, true);
    tokenizer.decode(ids, false);
  } catch (const r1::Error&) {
  }
  return 0;
}
